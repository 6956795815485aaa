#pragma once
// Which of a volume's voxel axes, in which sense, stands for each axis that a network was trained on.
#include <array>
#include <string>

#include "core/volume_input.hpp"
#include "infer/sliding_window.hpp"

namespace isocenter::infer {

/// Axis k of the network's grid is axis[k] of the volume, backwards where flipped[k].
struct Orientation {
  std::array<int, 3> axis{0, 1, 2};
  std::array<bool, 3> flipped{false, false, false};
  double angle_deg = 0;  ///< the largest angle between a wanted direction and the voxel axis that stands for it

  bool as_it_comes() const { return axis == std::array<int, 3>{0, 1, 2} && !flipped[0] && !flipped[1] && !flipped[2]; }
};

/// True for "LPS" and its like: one of L R, one of P A, one of S I (DICOM PS3.3 C.7.6.2.1.1: patient coordinates grow
/// to the left, the back and the head), in any order.
bool are_axes(const std::string& letters);

/// The assignment of voxel axes to `letters` with the largest sum of direction cosines.
Orientation orient(const Geometry& geometry, const std::string& letters);

/// The directions that voxel axes x, y, z are nearest to, as letters: "LPS" for an axial series, "LIP" for a coronal.
std::string nearest_axes(const Geometry& geometry);

/// The shape and geometry of the volume with its axes in the network's order; voxels stay where they are in the
/// patient.
isocenter::detail::GridShape oriented(const isocenter::detail::GridShape& shape, const Orientation& orientation);

/// Where the voxels of the oriented grid lie in the volume's memory.
isocenter::detail::VoxelSteps voxel_steps(const isocenter::detail::GridShape& shape, const Orientation& orientation);

}  // namespace isocenter::infer
