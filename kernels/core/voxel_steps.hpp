#pragma once
#include "core/lanes.hpp"

namespace isocenter::detail {

/// Where voxel (0, 0, 0) of a grid lies in the memory of a volume whose axes have another order or run backwards, and
/// how far its neighbours along x, y, z are.
struct VoxelSteps {
  std::int64_t first, x, y, z;

  ISOCENTER_HD std::int64_t at(int px, int py, int pz) const { return first + px * x + py * y + pz * z; }
};

}  // namespace isocenter::detail
