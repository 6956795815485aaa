#pragma once
// What FDK computes before it sees a single projection: which views make which frame, with which weights and matrices.
#include <span>
#include <vector>

#include "recon/circular_orbit.hpp"
#include "recon/fdk_redundancy.hpp"
#include "recon/fdk_rows.hpp"
#include "recon/ramp_filter.hpp"

namespace isocenter::detail {

/// Views of one frame lie together, in the order in which they were taken.
struct FdkPlan {
  int raw_columns = 0, raw_rows = 0;  ///< of the projections
  int columns = 0, rows = 0;          ///< of the detector that is filtered (fdk_detector.hpp)
  int begin = 0, end = 0;             ///< its columns that have readings
  int column_axis = 2;                ///< the volume's axis along which its columns run
  VoxelGrid grid;
  std::vector<std::int64_t> frame_begin;  ///< frame f is made of entries frame_begin[f] .. frame_begin[f + 1]
  std::vector<std::int64_t> order;        ///< the projection's number
  std::vector<FdkViewWeight> weights;
  std::vector<FdkMatrix> matrices;
  std::vector<FdkRectification> rectification;  ///< empty when the real detector is filtered
  std::vector<float> redundancy;                ///< entries × columns; empty when every line is measured twice
  RowExtension extension;
  std::int64_t length = 0;       ///< of the transforms
  std::vector<double> response;  ///< natural order
  bool aligned = false;          ///< detector columns run along column_axis in every view
  bool displaced = false;
  ScanArc arc;
  double field_of_view_mm = 0;  ///< radius around the orbit's axis
  double longer_side_mm = 0;    ///< the radius that the detector's longer side reaches

  std::int64_t frames() const { return static_cast<std::int64_t>(frame_begin.size()) - 1; }
};

struct FdkRequest {
  std::span<const View> views;
  Beam beam = Beam::cone;
  int columns = 0, rows = 0;
  int phases = 1;
  std::int64_t nx = 0, ny = 0, nz = 0;  ///< 0: as the detector
  Vector3 spacing_mm{0, 0, 0};          ///< 0: a detector column at the isocentre
  Vector3 offset_mm{0, 0, 0};           ///< the grid's centre from the isocentre
  RampWindow window = RampWindow::ramp;
  double cutoff = 1;
  double scale = 1;  ///< what 1/mm is multiplied with
  double largest_gap_rad = 6.3;
  RowTruncation truncation = RowTruncation::none;
  double extension_mm = 0;     ///< at the isocentre; 0: half the detector's width
  double mu_water_per_mm = 0;  ///< for water_cylinder
};

/// Throws Failure for whatever FDK cannot do.
FdkPlan plan_fdk(const FdkRequest& request);

/// The detector rows onto which slabs of the volume project: so many for each, from first[slab] on.
struct FdkSlabRows {
  int rows = 0;
  std::vector<int> first;
};

/// Slabs of `height` slices from first[0], first[1], ... on. A volume around a source takes all rows.
FdkSlabRows fdk_slab_rows(const FdkPlan& plan, std::span<const std::int64_t> first, std::int64_t height);

/// What differs between slabs of the volume of `plan`, which was made from `request`: slab after slab, with its slice 0
/// and its row 0 as the first.
struct FdkSlabTables {
  std::vector<FdkMatrix> matrices;
  std::vector<FdkViewWeight> weights;
  std::vector<FdkRectification> rectification;
};
FdkSlabTables fdk_slab_tables(const FdkRequest& request, const FdkPlan& plan, std::span<const std::int64_t> first,
                              const FdkSlabRows& rows);

}  // namespace isocenter::detail
