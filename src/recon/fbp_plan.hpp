#pragma once
// What filtered back projection computes before it sees a reading: the plane of the slices, how much each view and ray
// counts, and where a view sees a pixel.
#include <string>
#include <vector>

#include "recon/acquisition_check.hpp"
#include "recon/fbp.hpp"
#include "recon/ramp_filter.hpp"

namespace isocenter::detail {

struct FbpRequest {
  Acquisition scan;
  bool stacked_fans = false;      ///< each row of a fan beam is a slice of its own
  std::int64_t nx = 0, ny = 0;    ///< 0: as many as detector columns
  double spacing_mm[2] = {0, 0};  ///< 0: a detector column as seen at the rotation centre
  double offset_mm[2] = {0, 0};   ///< the grid's centre from the rotation centre, along its axes
  RampWindow window = RampWindow::ramp;
  double cutoff = 1;
  double scale = 1;  ///< what 1/mm is multiplied with
  double largest_gap_rad = 0.2;
  RowTruncation truncation = RowTruncation::none;
  double extension_mm = 0;     ///< at the rotation centre; 0: half the detector's width
  double mu_water_per_mm = 0;  ///< for water_cylinder
};

struct FbpPlan {
  FbpBeam beam = FbpBeam::parallel;
  int views = 0, raw_columns = 0, rows = 0;
  int columns = 0;        ///< of the filtered rows
  int begin = 0;          ///< which of them is the detector's first
  bool top_down = false;  ///< slice j is detector row rows - 1 - j
  VolumeGrid grid;
  std::vector<FbpView> pixels;
  RowExtension extension;
  std::vector<float> weights;    ///< views × raw_columns, and those by which rows go on
  std::int64_t length = 0;       ///< of the transforms
  std::vector<double> response;  ///< natural order
  std::string scan;              ///< in words: what of the circle the views cover, and which weights follow
  double field_of_view_mm = 0;   ///< radius around the rotation centre
  double longer_side_mm = 0;     ///< the radius that the detector's longer side reaches
};

/// Throws Failure for whatever filtered back projection cannot do; check_acquisition has passed.
FbpPlan plan_fbp(const FbpRequest& request);

}  // namespace isocenter::detail
