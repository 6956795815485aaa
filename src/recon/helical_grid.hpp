#pragma once
// The volume of a helix: where its slices lie, whether the helix covers them and its pitch leaves no gap.
#include <cstdint>
#include <string>
#include <vector>

#include "recon/helical_orbit.hpp"
#include "recon/helical_schedule.hpp"

namespace isocenter::detail {

/// As the parameters of helical_reconstruction.
struct HelicalGridRequest {
  std::int64_t nx = 0, ny = 0, nz = 0;
  std::vector<double> spacing_mm, offset_mm;
};

struct HelicalGrid {
  VolumeGrid volume;
  HelicalRange covered;
  double radius_mm = 0;  ///< around the axis that all views see, of the grid
  double corner_mm = 0;  ///< the grid's farthest column from the axis

  /// No voxel, whether the detector sees it in all views or not, is farther from a ray's central source.
  HelicalSlices slices(const Helix& helix) const;
};

/// Throws Failure for a pitch that leaves gaps (with the largest one that does not) and for slices outside the range
/// that the helix covers.
HelicalGrid place_helical_grid(const Helix& helix, const HelicalGridRequest& request);

/// A feed for each rotation over the detector's height as seen at the axis.
double helical_pitch(const Helix& helix, double feed_per_rotation_mm);

/// In five digits.
std::string helical_number(double v);

}  // namespace isocenter::detail
