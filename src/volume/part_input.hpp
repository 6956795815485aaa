#pragma once
// What the operators on connected parts share while they are planned.
#include <cmath>
#include <isocenter/volume/connectivity.hpp>

#include "core/volume_input.hpp"
#include "volume/parts.hpp"

namespace isocenter::detail {

constexpr int neighbours_of(Connectivity c) {
  return c == Connectivity::faces ? 6 : c == Connectivity::edges ? 18 : 26;
}

/// The labels' shape; voxels of a frame are counted in 32 bits.
inline GridShape part_shape(const Payload& input) {
  const GridShape shape = grid_shape(input, "input", "labels", DType::uint8);
  if (shape.frame_voxels() > INT32_MAX - 1)
    throw Failure(ErrorCode::unsupported,
                  "input 'input' has " + std::to_string(shape.frame_voxels()) +
                      " voxels in a frame, and connected parts are found among at most 2147483646",
                  "crop the segmentation, or give it a coarser grid");
  return shape;
}

inline PartGrid part_grid(const GridShape& shape, const std::uint8_t* labels, bool by_label) {
  return {shape.nx, shape.ny, shape.nz, labels, by_label ? PartRule::equal_labels : PartRule::any_label};
}

/// The fewest voxels whose volume is not below min_volume_mm3.
inline int smallest_part(const GridShape& shape, double min_volume_mm3) {
  const double* s = shape.geometry.spacing_mm;
  const double voxel = s[0] * s[1] * s[2];
  if (min_volume_mm3 > 0 && !(voxel > 0))
    throw Failure(ErrorCode::bad_data, "input 'input' has voxels of " + to_parameter_text(voxel) + " cubic millimetres",
                  "check its spacing, or leave min_volume_mm3 at 0");
  const double voxels = min_volume_mm3 > 0 ? std::ceil(min_volume_mm3 / voxel * (1 - 1e-9)) : 1;
  return static_cast<int>(std::fmin(std::fmax(voxels, 1), INT32_MAX));
}

}  // namespace isocenter::detail
