#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// A mask in the projector's order: `value` where labels or values are not zero (everywhere when there are neither),
/// else 0. Strides along the launched x, y, z.
struct MaskCopy {
  static constexpr const char* name = "recon/mask_copy";
  const std::uint8_t* labels;
  const float* values;
  float* to;
  std::int64_t from_stride[3], to_stride[3];
  float value = 1.0F;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    for (int i = x; i < x + Lanes::width; ++i) {
      const std::int64_t at = i * from_stride[0] + y * from_stride[1] + z * from_stride[2];
      const bool inside = labels != nullptr ? labels[at] != 0 : values == nullptr || values[at] != 0.0F;
      to[i * to_stride[0] + y * to_stride[1] + z * to_stride[2]] = inside ? value : 0.0F;
    }
  }
};

}  // namespace isocenter::detail
