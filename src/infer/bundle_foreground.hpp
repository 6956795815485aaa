#pragma once
// MONAI's CropForegroundd: the box of the voxels above zero.
#include <array>
#include <isocenter/operator.hpp>
#include <vector>

namespace isocenter::infer {

struct ForegroundBox {
  std::array<int, 3> first{}, size{};  ///< x, y, z
};

/// The first and the last x and y above zero in a slice; first_x above last_x where there is none.
struct SliceBounds {
  int first_x, last_x, first_y, last_y;
};

/// Of a volume [z][y][x] in host memory, `margin` voxels wider within the volume. `slices` has one for each z. Errors:
/// bad_data where no voxel is above zero.
ForegroundBox find_foreground(const RunContext& run, const float* voxels, const std::array<int, 3>& size, int margin,
                              std::vector<SliceBounds>& slices);

}  // namespace isocenter::infer
