#pragma once
// What FDK computes before it sees a single projection: which views make which frame, with which weights and matrices.
#include <span>
#include <vector>

#include "recon/circular_orbit.hpp"
#include "recon/ramp_filter.hpp"

namespace isocenter::detail {

/// Views of one frame lie together, in the order in which they were taken.
struct FdkPlan {
  int columns = 0, rows = 0;
  VoxelGrid grid;
  std::vector<std::int64_t> frame_begin;  ///< frame f is made of entries frame_begin[f] .. frame_begin[f + 1]
  std::vector<std::int64_t> order;        ///< the projection's number
  std::vector<FdkViewWeight> weights;
  std::vector<FdkMatrix> matrices;
  std::int64_t length = 0;       ///< of the transforms
  std::vector<double> response;  ///< natural order
  bool aligned = false;          ///< detector columns run along z in every view

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
};

/// Throws Failure for whatever FDK cannot do.
FdkPlan plan_fdk(const FdkRequest& request);

}  // namespace isocenter::detail
