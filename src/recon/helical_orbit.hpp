#pragma once
// A helix as it lies in a list of views: found, checked, and how much of the patient it sees.
#include "recon/acquisition_check.hpp"

namespace isocenter::detail {

/// A source that turns around an axis along z while it moves along it, with a detector that is the same in all views.
/// Angles and the fan as in kernels/recon/helical.hpp.
struct Helix {
  double centre_x_mm = 0, centre_y_mm = 0, radius_mm = 0;
  double first_angle_rad = 0, step_rad = 0;  ///< of the views; the step is negative when the gantry turns backwards
  double first_z_mm = 0, feed_mm = 0;        ///< the source's z in view 0; its way for one rad
  int views = 0, columns = 0, rows = 0;
  bool flat = true;
  double detector_mm = 0;                    ///< source to detector
  double first_column = 0, column_step = 0;  ///< along the detector: mm on a flat one, rad on a curved one
  double centre_row = 0, row_step_mm = 0;    ///< where the source's plane meets it; rows' step along z

  double fan_of_column(double i) const;
  double column_of_fan(double fan_rad) const;
  double last_z_mm() const { return first_z_mm + feed_mm * step_rad * (views - 1); }
  double feed_per_rotation_mm() const;
  /// The radius around the axis that all views see.
  double field_of_view_mm() const;
};

/// Throws Failure, naming the view, when the views are no helix: sources off a circle around an axis along z, uneven
/// angles, a table that does not move evenly, detectors that are not those of view 0, tilted or displaced detectors,
/// fewer than two rows.
Helix find_helix(const Acquisition& scan);

/// The largest feed of a rotation with which every ray through the axis' neighbourhood of this radius is measured: two
/// rays along a line, half a turn apart, must leave no gap between them.
double largest_feed_mm(const Helix& helix, double radius_mm);

/// The z range within which every voxel of this radius is seen from half a turn. Empty: low > high.
struct HelicalRange {
  double low_mm = 0, high_mm = 0;
};
HelicalRange covered_range(const Helix& helix, double radius_mm);

}  // namespace isocenter::detail
