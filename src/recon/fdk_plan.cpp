#include "recon/fdk_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <isocenter/operator.hpp>
#include <isocenter/recon/vector3.hpp>
#include <numbers>

#include "recon/fdk_detector.hpp"
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

/// How far the detector reaches on both sides of the central ray, in the plane of the orbit; the least of all views.
struct Fan {
  double right_rad = 10, left_rad = 10;
  double left_columns = 1e9, right_columns = 1e9;
  std::size_t view = 0;  ///< the first where the detector ends nearest to the central ray
  double wider() const { return std::max(left_rad, right_rad); }
  double narrower() const { return std::min(left_rad, right_rad); }
};

Fan fan_of(const FilterDetector& detector, const Orbit& orbit) {
  Fan fan;
  for (std::size_t n = 0; n < detector.views.size(); ++n) {
    const double first = fan_angle_rad(detector, orbit, n, detector.begin);
    const double last = fan_angle_rad(detector, orbit, n, detector.end - 1);
    // Left is where column 0 is, whatever the sense of rotation.
    fan.left_rad = std::min(fan.left_rad, first < last ? -first : first);
    fan.right_rad = std::min(fan.right_rad, first < last ? last : -last);
    const double left = detector.centre_column[n] - detector.begin,
                 right = detector.end - 1 - detector.centre_column[n];
    if (std::min(left, right) < std::min(fan.left_columns, fan.right_columns) - 1e-6) fan.view = n;
    fan.left_columns = std::min(fan.left_columns, left);
    fan.right_columns = std::min(fan.right_columns, right);
  }
  return fan;
}

/// A detector whose sides differ by more than a twentieth of its width is meant to see half of a larger field.
bool is_displaced(const Fan& fan) {
  return std::fabs(fan.right_columns - fan.left_columns) > 0.05 * (fan.right_columns + fan.left_columns);
}

void check_central_ray(const Fan& fan) {
  if (fan.narrower() > 0.0) return;
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", -std::min(fan.left_columns, fan.right_columns));
  throw Failure(ErrorCode::bad_data,
                "the detector of view " + std::to_string(fan.view) + " ends " + text +
                    " columns before the central ray, so that it does not see what lies around the axis",
                "move the detector over the central ray, or correct detector_origin_mm of the views");
}

std::vector<float> redundancy_of(const FdkPlan& plan, const FilterDetector& detector, const Orbit& orbit,
                                 const Fan& fan) {
  if (plan.arc.full && !plan.displaced) return {};
  std::vector<float> table;
  for (const std::int64_t view : plan.order) {
    const auto n = static_cast<std::size_t>(view);
    const double beta =
        std::fmod(orbit.angle_rad[n] - plan.arc.begin_rad + 4.0 * std::numbers::pi, 2.0 * std::numbers::pi);
    const double wider = fan.right_rad > fan.left_rad ? 1.0 : -1.0;
    const double sense =
        fan_angle_rad(detector, orbit, n, detector.end - 1) > fan_angle_rad(detector, orbit, n, detector.begin) ? 1.0
                                                                                                                : -1.0;
    for (int i = 0; i < detector.columns; ++i) {
      const double gamma = fan_angle_rad(detector, orbit, n, i);
      table.push_back(static_cast<float>(plan.arc.full ? displaced_weight(wider * sense * gamma, fan.narrower())
                                                       : 2.0 * parker_weight(beta, gamma, plan.arc.length_rad)));
    }
  }
  return table;
}

/// Where a view's table is read when rows and columns of its detector are oblique.
void place_in_table(const FilterDetector& detector, const Orbit& orbit, std::size_t n, FdkViewWeight* w) {
  if (detector.rectification.empty()) return;
  const View& v = detector.views[n];
  const Vector3 in = minus(orbit.centre_mm, v.source_mm);
  const Vector3 central = unit(minus(in, times(dot(in, orbit.axis), orbit.axis)));
  const double depth =
      dot(minus(v.element_mm(detector.centre_column[n], detector.centre_row[n]), v.source_mm), central);
  w->table_column = static_cast<float>(detector.centre_column[n]);
  w->table_row = static_cast<float>(detector.centre_row[n]);
  w->table_shear = static_cast<float>(dot(v.v_step_mm, v.u_step_mm) / dot(v.u_step_mm, v.u_step_mm));
  w->table_scale = static_cast<float>(dot(v.v_step_mm, central) / depth);
}

}  // namespace

FdkPlan plan_fdk(const FdkRequest& request) {
  const Orbit orbit = find_circular_orbit(request.views, request.beam);
  FdkPlan plan;
  plan.raw_columns = request.columns;
  plan.raw_rows = request.rows;
  plan.grid = place_grid(request, orbit);
  plan.arc = find_scan_arc(orbit);
  FilterDetector detector = find_filter_detector(request.views, orbit, request.columns, request.rows);
  const Fan fan = fan_of(detector, orbit);
  check_central_ray(fan);
  check_short_scan(plan.arc, fan.wider());
  plan.displaced = plan.arc.full && is_displaced(fan);
  if (plan.displaced) make_symmetric(&detector);
  plan.field_of_view_mm = orbit.radius_mm * std::sin(plan.displaced ? fan.wider() : fan.narrower());
  plan.longer_side_mm = orbit.radius_mm * std::sin(fan.wider());
  plan.columns = detector.columns;
  plan.rows = detector.rows;
  plan.begin = detector.begin;
  plan.end = detector.end;
  plan.column_axis = detector.column_axis;

  const double step_mm = column_step_at_isocenter_mm(detector.views.front(), orbit);
  plan.extension = plan_row_extension(request.truncation, request.extension_mm, request.mu_water_per_mm, step_mm,
                                      {plan.begin, plan.end, plan.columns});
  plan.length = ramp_filter_length(plan.columns + plan.extension.columns);
  plan.response = ramp_response(plan.length, plan.columns + plan.extension.columns, step_mm, request.window,
                                request.cutoff, request.scale);
  plan.frame_begin.push_back(0);
  const auto frames = members_of_frames(request);
  for (std::size_t f = 0; f < frames.size(); ++f) {
    const std::string what =
        request.phases > 1 ? "phase " + std::to_string(f) + " of " + std::to_string(request.phases) : "the scan";
    if (frames[f].empty())
      throw Failure(ErrorCode::bad_data, what + " has no view", "use fewer phases, or scan more slowly");
    const std::vector<double> share = angular_weights(orbit, plan.arc, frames[f], request.largest_gap_rad, what);
    for (std::size_t i = 0; i < frames[f].size(); ++i) {
      const std::int64_t n = frames[f][i];
      const auto at = static_cast<std::size_t>(n);
      plan.order.push_back(n);
      plan.weights.push_back(view_weight(detector.views[at], orbit, share[i], step_mm));
      place_in_table(detector, orbit, at, &plan.weights.back());
      plan.matrices.push_back(projection_matrix(detector.views[at], orbit, plan.grid, n));
      if (!detector.rectification.empty()) plan.rectification.push_back(detector.rectification[at]);
    }
    plan.frame_begin.push_back(static_cast<std::int64_t>(plan.order.size()));
  }
  plan.redundancy = redundancy_of(plan, detector, orbit, fan);
  plan.aligned = fdk_is_aligned(plan.matrices.data(), static_cast<int>(plan.matrices.size()), plan.column_axis,
                                static_cast<int>(plan.column_axis == 2   ? plan.grid.nz
                                                 : plan.column_axis == 1 ? plan.grid.ny
                                                                         : plan.grid.nx));
  return plan;
}

FdkSlabRows fdk_slab_rows(const FdkPlan& plan, std::span<const std::int64_t> first, std::int64_t height) {
  constexpr int margin = 2;  // the neighbours that are interpolated, and rounding
  const double x[2] = {0.0, static_cast<double>(plan.grid.nx - 1)}, y[2] = {0.0, static_cast<double>(plan.grid.ny - 1)};
  FdkSlabRows found;
  for (const std::int64_t slice : first) {
    const double z[2] = {static_cast<double>(slice), static_cast<double>(slice + height - 1)};
    double low = plan.rows, high = -1;
    for (const FdkMatrix& matrix : plan.matrices)
      for (unsigned corner = 0; corner < 8; ++corner) {
        // A projection takes its extremes over a box at the corners, as long as all of it is before the source.
        const float* m = matrix.m;
        const auto row = [&](int k) {
          return static_cast<double>(m[k]) * x[corner & 1U] + static_cast<double>(m[k + 1]) * y[corner >> 1U & 1U] +
                 static_cast<double>(m[k + 2]) * z[corner >> 2U] + static_cast<double>(m[k + 3]);
        };
        const double depth = row(8);
        if (!(depth > 1e-6)) return {plan.rows, std::vector<int>(first.size(), 0)};
        low = std::min(low, row(4) / depth);
        high = std::max(high, row(4) / depth);
      }
    const double last = plan.rows - 1;
    const auto begin = static_cast<int>(std::clamp(std::floor(low) - margin, 0.0, last));
    const auto end = static_cast<int>(std::clamp(std::ceil(high) + margin, 0.0, last)) + 1;
    found.first.push_back(begin);
    found.rows = std::max(found.rows, end - begin);
  }
  for (int& begin : found.first) begin = std::min(begin, plan.rows - found.rows);
  return found;
}

FdkSlabTables fdk_slab_tables(const FdkRequest& request, const FdkPlan& plan, std::span<const std::int64_t> first,
                              const FdkSlabRows& rows) {
  const Orbit orbit = find_circular_orbit(request.views, request.beam);
  FilterDetector detector = find_filter_detector(request.views, orbit, request.columns, request.rows);
  if (plan.displaced) make_symmetric(&detector);
  FdkSlabTables tables;
  for (std::size_t slab = 0; slab < first.size(); ++slab) {
    VoxelGrid grid = place_grid(request, orbit);
    grid.origin_mm[2] += static_cast<double>(first[slab]) * grid.spacing_mm[2];
    grid.nz = plan.grid.nz - first[slab];
    const auto row = static_cast<float>(rows.first[slab]);
    for (std::size_t i = 0; i < plan.order.size(); ++i) {
      FdkMatrix m =
          projection_matrix(detector.views[static_cast<std::size_t>(plan.order[i])], orbit, grid, plan.order[i]);
      for (int k = 0; k < 4; ++k) m.m[4 + k] -= row * m.m[8 + k];
      tables.matrices.push_back(m);
      FdkViewWeight w = plan.weights[i];
      w.centre_row -= row;
      w.table_row -= row;
      tables.weights.push_back(w);
      if (plan.rectification.empty()) continue;
      FdkRectification r = plan.rectification[i];
      for (int k = 0; k < 3; ++k) r.m[3 * k + 2] += row * r.m[3 * k + 1];
      tables.rectification.push_back(r);
    }
  }
  return tables;
}

}  // namespace isocenter::detail
