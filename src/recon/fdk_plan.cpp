#include "recon/fdk_plan.hpp"

#include <cmath>
#include <isocenter/operator.hpp>

#include "recon/fdk_simd.hpp"

namespace isocenter::detail {

namespace {

/// The views of each frame.
std::vector<std::vector<std::int64_t>> members_of_frames(const FdkRequest& request) {
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(request.phases));
  for (std::size_t n = 0; n < request.views.size(); ++n) {
    std::int64_t frame = 0;
    if (request.phases > 1) {
      const double phase = request.views[n].phase;
      if (!(phase >= 0.0 && phase < 1.0))
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " has no motion phase in [0, 1)",
                      "put phase_sort before this node");
      frame = std::llround(phase * request.phases) % request.phases;
    }
    members[static_cast<std::size_t>(frame)].push_back(static_cast<std::int64_t>(n));
  }
  return members;
}

VoxelGrid place_grid(const FdkRequest& r, const Orbit& orbit) {
  VoxelGrid grid;
  grid.nx = r.nx > 0 ? r.nx : r.columns;
  grid.ny = r.ny > 0 ? r.ny : r.columns;
  grid.nz = r.nz > 0 ? r.nz : r.rows;
  const std::int64_t n[3] = {grid.nx, grid.ny, grid.nz};
  for (std::size_t k = 0; k < 3; ++k) {
    grid.spacing_mm[k] = r.spacing_mm[k] > 0.0 ? r.spacing_mm[k] : column_step_at_isocenter_mm(r.views.front(), orbit);
    grid.origin_mm[k] = orbit.centre_mm[k] + r.offset_mm[k] - 0.5 * static_cast<double>(n[k] - 1) * grid.spacing_mm[k];
  }
  return grid;
}

}  // namespace

FdkPlan plan_fdk(const FdkRequest& request) {
  const Orbit orbit = find_circular_orbit(request.views, request.beam);
  FdkPlan plan;
  plan.columns = request.columns;
  plan.rows = request.rows;
  plan.grid = place_grid(request, orbit);
  plan.length = ramp_filter_length(request.columns);
  plan.response = ramp_response(plan.length, request.columns, column_step_at_isocenter_mm(request.views.front(), orbit),
                                request.window, request.cutoff, request.scale);
  plan.frame_begin.push_back(0);
  const auto frames = members_of_frames(request);
  for (std::size_t f = 0; f < frames.size(); ++f) {
    const std::string what =
        request.phases > 1 ? "phase " + std::to_string(f) + " of " + std::to_string(request.phases) : "the scan";
    if (frames[f].empty())
      throw Failure(ErrorCode::bad_data, what + " has no view", "use fewer phases, or scan more slowly");
    const std::vector<double> share = angular_weights(orbit, frames[f], request.largest_gap_rad, what);
    for (std::size_t i = 0; i < frames[f].size(); ++i) {
      const std::int64_t n = frames[f][i];
      const View& view = request.views[static_cast<std::size_t>(n)];
      plan.order.push_back(n);
      plan.weights.push_back(view_weight(view, share[i]));
      plan.matrices.push_back(projection_matrix(view, orbit, plan.grid, n));
    }
    plan.frame_begin.push_back(static_cast<std::int64_t>(plan.order.size()));
  }
  plan.aligned =
      fdk_is_aligned(plan.matrices.data(), static_cast<int>(plan.matrices.size()), static_cast<int>(plan.grid.nz));
  return plan;
}

}  // namespace isocenter::detail
