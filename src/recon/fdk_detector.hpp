#pragma once
// The detector on which views are filtered and back-projected: the real one where its rows run along the source's way
// and its columns along the volume's axis nearest to the orbit's; else one that does, onto which views are resampled.
#include <span>
#include <vector>

#include "recon/circular_orbit.hpp"
#include "recon/fdk_rows.hpp"

namespace isocenter::detail {

struct FilterDetector {
  std::vector<View> views;                      ///< element (0, 0) and steps of this detector for each view
  std::vector<FdkRectification> rectification;  ///< one for each view; empty when it is the real detector
  int columns = 0, rows = 0;
  int begin = 0, end = 0;                         ///< the columns that have readings
  int column_axis = 2;                            ///< the volume's axis along which columns run
  std::vector<double> centre_column, centre_row;  ///< of each view: where the ray through the orbit's centre arrives
};

/// Rows along the source's way, columns along a volume axis: filtering along rows is then right, and a voxel column
/// meets one detector column. Where the real detector is not so, one in the plane of the two directions through the
/// same point of the central ray, with the same steps; where the orbit's axis is oblique to the volume, its rows and
/// columns are not at right angles.
FilterDetector find_filter_detector(std::span<const View> views, const Orbit& orbit, int columns, int rows);

/// The fan angle of a column in the plane of the orbit, counter-clockwise from the central ray.
double fan_angle_rad(const FilterDetector& detector, const Orbit& orbit, std::size_t view, double column);

/// Adds columns without readings on the shorter side, so that the detector reaches as far on both.
void make_symmetric(FilterDetector* detector);

}  // namespace isocenter::detail
