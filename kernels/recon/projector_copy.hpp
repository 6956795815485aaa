#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// Copies between the order of a payload and that of a projector, axes exchanged: for each z,
///   to[z · to_z + y · to_y + x] = scale · from[z · from_z + y · from_y + x · from_x] + shift  for x < nx,
/// and zero for x >= nx, up to where the kernel is launched. Positions in one z fit into 32 bits.
struct ProjectorCopy {
  static constexpr const char* name = "recon/projector_copy";
  const float* from;
  float* to;
  std::int64_t from_z, to_z;
  std::int32_t from_x, from_y;
  std::int64_t to_y;
  std::int32_t nx;
  float scale, shift;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto at = Lanes::iota(x);
    const Float v = gather(from + z * from_z + static_cast<std::int64_t>(y) * from_y, clamp(at, 0, nx - 1) * from_x);
    store(to + z * to_z + y * to_y + x, select(at < nx, v * scale + shift, Float{}));
  }
};

}  // namespace isocenter::detail
