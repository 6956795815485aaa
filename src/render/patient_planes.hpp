#pragma once
// Planes in the patient frame: which directions, how many pixels cover a volume, and where they are in its voxels.
#include "render/camera_path.hpp"
#include "render/multi_planar_reformat.hpp"

namespace isocenter::detail {

/// Unit vectors in the patient frame: along a row, down a column, from plane to plane.
struct PlaneAxes {
  Vector3 row, column, normal;
};
/// Radiological orientation: 0 axial, 1 coronal, 2 sagittal, as isocenter/render/slice_view.hpp describes it.
PlaneAxes anatomical_axes(int plane);
/// From two directions; throws when they have no length or are not at right angles.
PlaneAxes oblique_axes(const std::vector<double>& row, const std::vector<double>& column);

/// From the first to the last voxel centre of a volume along a patient direction, in mm.
struct Range {
  double low, high;
};
Range extent_along(const GridShape& grid, const Vector3& direction);
/// The spacing of the voxel axis that is nearest to a direction.
double spacing_along(const GridShape& grid, const Vector3& direction);
/// How many points `step` apart cover a range, ends included.
int points_over(const Range& range, double step);

/// The grid of points origin + x · dx · row + y · dy · column + z · dz · normal, in voxel coordinates of a volume.
PlaneGrid plane_grid(const Geometry& volume, const PlaneAxes& axes, const Vector3& origin_mm, double dx, double dy,
                     double dz);
/// A patient-frame displacement in voxels.
std::array<float, 3> to_voxels(const Geometry& volume, const Vector3& displacement_mm);

}  // namespace isocenter::detail
