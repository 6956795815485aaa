#pragma once
// A circular orbit as it lies in a list of views: found, checked, and turned into what back projection needs.
#include <cstdint>
#include <isocenter/recon/acquisition.hpp>
#include <span>
#include <string>
#include <vector>

#include "recon/fdk.hpp"
#include "recon/fdk_filter.hpp"

namespace isocenter::detail {

/// The circle on which all sources lie.
struct Orbit {
  Vector3 centre_mm{};
  Vector3 axis{};  ///< unit vector
  double radius_mm = 0;
  std::vector<double> angle_rad;  ///< of each view, in [0, 2π)
};

/// Fits a circle to the sources by least squares and checks that this is an acquisition FDK holds for: three views or
/// more, every source within a hundredth of the radius of the circle (a gantry sags and shakes), detectors flat with
/// orthogonal steps, at the isocentre (a virtual one) or behind it, and facing the axis. Throws Failure that names the
/// view.
Orbit find_circular_orbit(std::span<const View> views, Beam beam);

/// A grid of voxels along the patient's axes.
struct VoxelGrid {
  std::int64_t nx = 1, ny = 1, nz = 1;
  Vector3 origin_mm{}, spacing_mm{1, 1, 1};
};

/// How a view projects the grid's voxels. Throws Failure when a voxel lies at or behind the source.
FdkMatrix projection_matrix(const View& view, const Orbit& orbit, const VoxelGrid& grid, std::int64_t view_number);

/// A view's weights before filtering. `share_rad` is its share of the arc, `filter_step_mm` the ramp filter's sampling
/// distance. Rows run along the source's way; columns need not be at right angles to them.
FdkViewWeight view_weight(const View& view, const Orbit& orbit, double share_rad, double filter_step_mm);

/// Detector column step as seen at the isocentre, mm: the ramp filter's sampling distance.
double column_step_at_isocenter_mm(const View& view, const Orbit& orbit);

}  // namespace isocenter::detail
