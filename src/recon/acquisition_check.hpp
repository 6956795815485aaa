#pragma once
// Is this an acquisition at all, and one that the method holds for? Every operator that reconstructs or projects begins
// its plan with
//
//   const Acquisition scan = check_acquisition(plan, "input", {.least_views = 3, .method = "FDK"});
//   ...                                                     // choose the grid from the scan and the parameters
//   for (const AcquisitionWarning& w : check_volume(scan, grid)) plan.warn(w.what, w.fix);
//
// or, in one call where the grid is known already, check_acquisition(plan, "input", needs, &grid).
#include <cstdint>
#include <isocenter/operator.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail {

/// The acquisition of a Projections payload. `views` is valid as long as the payload's attribute.
struct Acquisition {
  std::span<const View> views;
  Beam beam = Beam::cone;
  DetectorShape detector = DetectorShape::flat;
  int rows = 1, columns = 1;
};

/// What a method needs beyond what holds for every acquisition.
struct AcquisitionNeeds {
  std::size_t least_views = 2;
  const char* method = "this node";  ///< for messages: "FDK", "SIRT"
  bool cone_beam = false;            ///< refuses a parallel beam
  bool parallel_beam = false;        ///< refuses a cone beam
  bool flat_detector = false;        ///< refuses a curved one
  bool orthogonal_steps = false;     ///< columns and rows at right angles to 1e-4 rad (a curved detector's always are)
  double largest_gap_rad = 0;        ///< between neighbouring view directions; 0: any
  bool full_turn = false;            ///< the gap between the last and the first direction counts too
  bool any_unit = false;             ///< takes readings that are no line integrals, or looks at none
  bool any_arc = false;              ///< makes no volume of the views, so that they may all be the same
};

/// A volume's voxels.
struct VolumeGrid {
  std::int64_t nx = 1, ny = 1, nz = 1;
  Geometry geometry;
};

struct AcquisitionWarning {
  std::string what, fix;
};

/// Reads the attributes and the shape of the tensor "views". Throws Failure (bad_data) when there are no views, their
/// number is not that of the projections, the projections are not float32, or beam or detector have an unknown name.
/// `blocks`: of how many payloads the views are, for methods that take a scan in parts.
Acquisition read_acquisition(const Payload& projections, std::int64_t blocks = 1);

/// Throws Failure, in one sentence that names the first bad view: numbers that are not finite; steps of 0; columns
/// parallel to rows, or (where needed) not at right angles; a ray direction that is no unit vector; a source in the
/// detector's plane; a curved detector that is not a cylinder around the focal spot, or of 180 degrees and more;
/// detectors that are mirrored in some views and not in others; distances below 1 mm or above 1e5 mm, which are another
/// unit than mm; fewer views than needed; a gap between view directions.
void check_acquisition(const Acquisition& scan, const AcquisitionNeeds& needs);

/// Throws Failure when a source lies in the volume, when the volume's centre lies behind a source as seen from its
/// detector or behind the detector, or when no view sees any of the volume. Warns with the fraction when no view sees a
/// part of it, and when a detector stands within the volume (not at its rim, as in tomosynthesis).
std::vector<AcquisitionWarning> check_volume(const Acquisition& scan, const VolumeGrid& grid);

/// Warns of views that are all the same, and of eight or more over less than 2 pi degrees (a circle in radians). Views
/// that all look the same way from different places are another matter.
std::vector<AcquisitionWarning> check_arc(const Acquisition& scan);

/// All of it for an operator's plan, and that the readings are not counts; the warnings go to the plan. The grid may be
/// null.
Acquisition check_acquisition(PlanContext& plan, const char* port, const AcquisitionNeeds& needs,
                              const VolumeGrid* grid = nullptr, std::int64_t blocks = 1);

/// For filtered back projection of rows that are not continued: warns where a detector is displaced in a scan that
/// does not measure on the other side of the circle what it lacks. Radii: seen by every view; by the longer side.
void warn_of_unseen_side(PlanContext& plan, double field_mm, double longer_side_mm);

}  // namespace isocenter::detail
