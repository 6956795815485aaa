#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// x, y: voxels, z: (frame or channel, slice), slice fastest. Each voxel's value goes to its mirror image.
struct MirrorKernel {
  static constexpr const char* name = "volume/mirror";
  const float* in;
  float* out;
  int nx, ny, nz;
  bool along[3];  ///< x, y, z

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t slice = along[2] ? z - z % nz + (nz - 1 - z % nz) : z;
    const float* row = in + (slice * ny + (along[1] ? ny - 1 - y : y)) * nx;
    float* to = out + (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    store(to, along[0] ? gather(row, nx - 1 - Lanes::iota(x)) : load(lanes, row + x));
  }
};

}  // namespace isocenter::detail
