#pragma once
#include <cstdint>

namespace isocenter::infer {

/// Keeps, for each label above 0, its largest set of voxels that touch by a face; the rest becomes 0. Of two of the
/// same size the one whose first voxel comes first is kept. `work` holds nx * ny * nz numbers; host memory, nothing is
/// allocated. Union-find by size with path halving: R. E. Tarjan and J. van Leeuwen, JACM 31 (1984), section 2.
void keep_largest_components(std::uint8_t* labels, std::int32_t* work, int nx, int ny, int nz);

}  // namespace isocenter::infer
