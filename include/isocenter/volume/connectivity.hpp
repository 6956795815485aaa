#pragma once

namespace isocenter::inline v1 {

/// Which neighbours of a voxel touch it: 6 by a face, 18 by a face or an edge, 26 by a corner too.
enum class Connectivity { faces, edges, corners };
inline constexpr const char* connectivities[] = {"6", "18", "26"};

}  // namespace isocenter::inline v1
