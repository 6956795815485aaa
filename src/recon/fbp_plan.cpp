#include "recon/fbp_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>

#include "recon/fbp_orbit.hpp"
#include "recon/fdk_redundancy.hpp"

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}

/// Parallel rays of opposite views are the same lines: angles count modulo 180 degrees, a view with half the angle
/// between its neighbours there. The shares add up to π.
struct ParallelArc {
  std::vector<double> share;
  double widest_gap = 0;        ///< modulo 180 degrees
  std::size_t after = 0;        ///< the view before it
  double widest_of_circle = 0;  ///< modulo 360 degrees
};

std::vector<std::size_t> sorted_by(const std::vector<double>& angle) {
  std::vector<std::size_t> order(angle.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return angle[a] != angle[b] ? angle[a] < angle[b] : a < b; });
  return order;
}

ParallelArc parallel_arc(const FbpOrbit& orbit) {
  std::vector<double> full, half;
  for (const Vector3& a : orbit.across) {
    const double angle = std::atan2(dot(a, orbit.y), dot(a, orbit.x));
    full.push_back(angle < 0.0 ? angle + 2.0 * pi : angle);
    // The last views of a half circle may be rounded to either end of it: both are the same place.
    half.push_back(std::fmod(full.back(), pi));
  }
  ParallelArc arc;
  arc.share.assign(half.size(), 0.0);
  const auto order = sorted_by(half);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool last = i + 1 == order.size();
    const std::size_t a = order[i], b = order[last ? 0 : i + 1];
    const double gap = half[b] - half[a] + (last ? pi : 0.0);
    arc.share[a] += 0.5 * gap;
    arc.share[b] += 0.5 * gap;
    if (gap > arc.widest_gap) arc.widest_gap = gap, arc.after = a;
  }
  const auto around = sorted_by(full);
  for (std::size_t i = 0; i < around.size(); ++i) {
    const bool last = i + 1 == around.size();
    arc.widest_of_circle =
        std::max(arc.widest_of_circle, full[around[last ? 0 : i + 1]] - full[around[i]] + (last ? 2.0 * pi : 0.0));
  }
  return arc;
}

/// How far the detector reaches on both sides of the rotation centre, in columns; the least of all views.
struct Reach {
  double left = 1e9, right = 1e9;
  double narrower() const { return std::min(left, right); }
  double wider() const { return std::max(left, right); }
  /// Meant to see half of a larger field: as fdk_reconstruction has it.
  bool displaced() const { return std::fabs(right - left) > 0.05 * (right + left); }
};

Reach reach_of(const FbpOrbit& orbit, int columns) {
  Reach reach;
  std::size_t view = 0;  // the first where the detector ends nearest to the centre
  for (std::size_t n = 0; n < orbit.centre_column.size(); ++n) {
    const double c = orbit.centre_column[n];
    if (std::min(c, columns - 1 - c) < reach.narrower() - 1e-6) view = n;
    reach.left = std::min(reach.left, c);
    reach.right = std::min(reach.right, columns - 1 - c);
  }
  if (reach.narrower() <= 0.0)
    throw Failure(
        ErrorCode::bad_data,
        "the detector of view " + std::to_string(view) + " ends " + number(-reach.narrower()) +
            " columns before the ray through the rotation centre, so that it does not see what lies around it",
        "move the detector over the rotation centre, or correct detector_origin_mm of the views");
  return reach;
}

/// A detector that is displaced is filtered as wide as if it were not, so that its filtered rows reach as far.
void widen(const Reach& reach, FbpPlan* plan) {
  const int more = static_cast<int>(std::ceil(std::fabs(reach.right - reach.left)));
  plan->columns = plan->raw_columns + more;
  plan->begin = reach.left < reach.right ? more : 0;
}

/// The columns' step as seen at the rotation centre.
double step_at_centre_mm(const FbpRequest& r, const FbpOrbit& orbit, FbpBeam beam) {
  const double step = orbit.step.front();
  if (beam == FbpBeam::parallel) return step;
  if (beam == FbpBeam::curved_fan) return step * orbit.circle.radius_mm;
  return step * dot(minus(orbit.centre_mm, r.scan.views.front().source_mm), orbit.depth.front()) /
         dot(fan_ray(r.scan, orbit, 0, 0), orbit.depth.front());
}

/// Before the weights: they are needed where rows go on, too. The filter of a curved detector, (nα / sin nα)², holds
/// for rays less than half a turn apart.
void plan_extension(const FbpRequest& r, const FbpOrbit& orbit, FbpPlan* plan) {
  const double step_mm = step_at_centre_mm(r, orbit, plan->beam);
  plan->extension = plan_row_extension(r.truncation, r.extension_mm, r.mu_water_per_mm, step_mm,
                                       {plan->begin, plan->begin + plan->raw_columns, plan->columns});
  if (plan->beam != FbpBeam::curved_fan || plan->extension.columns == 0) return;
  const double most = std::floor(0.9 * pi / orbit.step.front()) - plan->columns;
  if (plan->extension.columns > most)
    throw Failure(ErrorCode::invalid_argument,
                  "extension_mm = " + number(r.extension_mm) + " continues the rows of a curved detector by " +
                      std::to_string(plan->extension.columns) +
                      " columns, so that its ends are more than 162 deg apart",
                  most >= 1.0 ? "set extension_mm to " + number(std::floor(most * step_mm * 10.0) / 10.0) + " or less"
                              : "set truncation to none");
}

void weigh_parallel(const FbpRequest& r, const FbpOrbit& orbit, FbpPlan* plan) {
  const ParallelArc arc = parallel_arc(orbit);
  if (arc.widest_gap > r.largest_gap_rad)
    throw Failure(ErrorCode::bad_data,
                  "the views leave out " + number(arc.widest_gap * 180.0 / pi) + " deg of the half circle after view " +
                      std::to_string(arc.after) + ", and largest_gap_deg = " + number(r.largest_gap_rad * 180.0 / pi),
                  "scan 180 deg without gaps, take more views, or allow a larger gap");
  const Reach reach = reach_of(orbit, r.scan.columns);
  const bool circle = arc.widest_of_circle <= r.largest_gap_rad, displaced = circle && reach.displaced();
  if (displaced) widen(reach, plan);
  plan->scan = displaced ? "full circle, displaced detector (Wang's weights)" : circle ? "full circle" : "half circle";
  plan->field_of_view_mm = (displaced ? reach.wider() : reach.narrower()) * orbit.step.front();
  plan->longer_side_mm = reach.wider() * orbit.step.front();
  plan_extension(r, orbit, plan);
  const double sign = reach.right > reach.left ? 1.0 : -1.0;
  for (std::size_t n = 0; n < arc.share.size(); ++n)
    for (int i = -plan->extension.before(); i < r.scan.columns + plan->extension.after(); ++i) {
      const double t = sign * (std::clamp(i, 0, r.scan.columns - 1) - orbit.centre_column[n]);
      const double counts = displaced ? displaced_weight(t, reach.narrower()) : 1.0;
      plan->weights.push_back(static_cast<float>(arc.share[n] * counts * orbit.step.front() / orbit.step[n]));
    }
}

/// The angle of a column's ray from the central one, counter-clockwise around the orbit's axis.
double fan_angle(const FbpRequest& r, const FbpOrbit& orbit, std::size_t n, double column) {
  const Vector3 ray = fan_ray(r.scan, orbit, n, column);
  const Vector3 in = minus(orbit.centre_mm, r.scan.views[n].source_mm);
  const Vector3 central = minus(in, times(dot(in, orbit.z), orbit.z));
  return std::atan2(dot(orbit.circle.axis, cross(central, ray)), dot(central, ray));
}

void weigh_fan(const FbpRequest& r, const FbpOrbit& orbit, FbpPlan* plan) {
  const ScanArc arc = find_scan_arc(orbit.circle);
  std::vector<std::int64_t> members(r.scan.views.size());
  std::iota(members.begin(), members.end(), std::int64_t{0});
  const std::vector<double> share = angular_weights(orbit.circle, arc, members, r.largest_gap_rad, "the scan");
  const Reach reach = reach_of(orbit, r.scan.columns);
  double least = 10.0, most = 0.0;  // of the angles at which the fan ends on either side
  for (std::size_t n = 0; n < r.scan.views.size(); ++n) {
    const double a = std::fabs(fan_angle(r, orbit, n, 0)), b = std::fabs(fan_angle(r, orbit, n, r.scan.columns - 1));
    least = std::min({least, a, b});
    most = std::max({most, a, b});
  }
  check_short_scan(arc, most);
  const bool displaced = arc.full && reach.displaced();
  if (displaced) widen(reach, plan);
  plan->scan = displaced  ? "full circle, displaced detector (Wang's weights)"
               : arc.full ? "full circle"
                          : "short scan of " + number(arc.length_rad * 180.0 / pi) + " deg (Parker's weights)";
  plan->field_of_view_mm = orbit.circle.radius_mm * std::sin(displaced ? most : least);
  plan->longer_side_mm = orbit.circle.radius_mm * std::sin(most);
  plan_extension(r, orbit, plan);
  const bool curved = plan->beam == FbpBeam::curved_fan;
  for (std::size_t n = 0; n < r.scan.views.size(); ++n) {
    const View& v = r.scan.views[n];
    const double beta = std::fmod(orbit.circle.angle_rad[n] - arc.begin_rad + 4.0 * pi, 2.0 * pi);
    const Vector3 to_centre = minus(orbit.centre_mm, v.source_mm);
    const double radius = std::hypot(dot(to_centre, orbit.x), dot(to_centre, orbit.y));
    const double depth = dot(to_centre, orbit.depth[n]), detector = dot(fan_ray(r.scan, orbit, n, 0), orbit.depth[n]);
    // Kak and Slaney, sections 3.4.1 and 3.4.2, with the lengths of back projection in parts of those at the centre:
    // cos γ / R (curved), R D cos γ / depth² (flat; a detector that is not at right angles to the central ray, too).
    const double lengths = curved ? 1.0 / radius : radius * detector / (depth * depth);
    for (int i = -plan->extension.before(); i < r.scan.columns + plan->extension.after(); ++i) {
      // Where rows go on they count beside others as their last reading does.
      const int last = std::clamp(i, 0, r.scan.columns - 1);
      const double gamma = fan_angle(r, orbit, n, last);
      const double cosine = i == last ? std::cos(gamma) : std::max(0.0, std::cos(fan_angle(r, orbit, n, i)));
      const double sense = (reach.right > reach.left) == (last > orbit.centre_column[n]) ? 1.0 : -1.0;
      const double counts = !arc.full   ? parker_weight(beta, gamma, arc.length_rad)
                            : displaced ? 0.5 * displaced_weight(sense * std::fabs(gamma), least)
                                        : 0.5;
      plan->weights.push_back(
          static_cast<float>(share[n] * counts * lengths * cosine * orbit.step.front() / orbit.step[n]));
    }
  }
}

void place_grid(const FbpRequest& r, const FbpOrbit& orbit, FbpPlan* plan) {
  VolumeGrid& g = plan->grid;
  g.nx = r.nx > 0 ? r.nx : r.scan.columns;
  g.ny = r.ny > 0 ? r.ny : r.scan.columns;
  g.nz = r.scan.rows;
  const double step = step_at_centre_mm(r, orbit, plan->beam);
  const std::int64_t n[2] = {g.nx, g.ny};
  const Vector3 axes[3] = {orbit.x, orbit.y, orbit.z};
  Vector3 origin = orbit.centre_mm;
  g.geometry.spacing_mm[2] = orbit.slice_step_mm;
  for (std::size_t k = 0; k < 2; ++k) {
    const double spacing = r.spacing_mm[k] > 0.0 ? r.spacing_mm[k] : step;
    g.geometry.spacing_mm[k] = spacing;
    origin = plus(origin, times(r.offset_mm[k] - 0.5 * static_cast<double>(n[k] - 1) * spacing, axes[k]));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    g.geometry.origin_mm[i] = origin[i];
    for (std::size_t k = 0; k < 3; ++k) g.geometry.direction[3 * i + k] = axes[k][i];
  }
}

/// across and depth of each view as functions of the pixel.
void place_pixels(const FbpRequest& r, const FbpOrbit& orbit, FbpPlan* plan) {
  const VolumeGrid& g = plan->grid;
  const Vector3 origin{g.geometry.origin_mm[0], g.geometry.origin_mm[1], g.geometry.origin_mm[2]};
  const Vector3 dx = times(g.geometry.spacing_mm[0], orbit.x), dy = times(g.geometry.spacing_mm[1], orbit.y);
  for (std::size_t n = 0; n < r.scan.views.size(); ++n) {
    const View& v = r.scan.views[n];
    const auto linear = [&](const Vector3& direction, const Vector3& from, double factor, double(&to)[3]) {
      to[0] = factor * dot(dx, direction);
      to[1] = factor * dot(dy, direction);
      to[2] = factor * dot(minus(origin, from), direction);
    };
    double across[3], depth[3] = {0, 0, 1};
    double middle = 0.0, per_rad = 0.0;
    if (plan->beam == FbpBeam::parallel) {
      linear(orbit.across[n], v.detector_origin_mm, 1.0 / orbit.step[n], across);
      across[2] += plan->begin;
    } else {
      const double at_centre = dot(minus(orbit.centre_mm, v.source_mm), orbit.depth[n]);
      const double unit_depth = plan->beam == FbpBeam::flat_fan ? at_centre : orbit.circle.radius_mm;
      linear(orbit.depth[n], v.source_mm, 1.0 / unit_depth, depth);
      linear(orbit.across[n], v.source_mm, 1.0 / unit_depth, across);
      if (plan->beam == FbpBeam::flat_fan) {
        const Vector3 to_column_0 = fan_ray(r.scan, orbit, n, 0);
        const double first = plan->begin - dot(to_column_0, orbit.across[n]) / orbit.step[n];
        for (std::size_t k = 0; k < 3; ++k)
          across[k] = across[k] * dot(to_column_0, orbit.depth[n]) / orbit.step[n] + first * depth[k];
      } else {
        middle = plan->begin + 0.5 * (r.scan.columns - 1);
        per_rad = 1.0 / orbit.step[n];
      }
    }
    const double nearest = depth[2] + std::min(0.0, depth[0] * static_cast<double>(g.nx - 1)) +
                           std::min(0.0, depth[1] * static_cast<double>(g.ny - 1));
    if (nearest <= 1e-3)
      throw Failure(ErrorCode::invalid_argument,
                    "the slices reach to or behind the source of view " + std::to_string(n),
                    "make nx, ny or spacing_mm smaller, so that the slices stay inside the orbit (radius " +
                        number(orbit.circle.radius_mm) + " mm)");
    FbpView p{};
    for (std::size_t k = 0; k < 3; ++k) {
      p.across[k] = static_cast<float>(across[k]);
      p.depth[k] = static_cast<float>(depth[k]);
    }
    p.middle = static_cast<float>(middle);
    p.columns_per_rad = static_cast<float>(per_rad);
    plan->pixels.push_back(p);
  }
}

}  // namespace

FbpPlan plan_fbp(const FbpRequest& request) {
  const Acquisition& scan = request.scan;
  const FbpOrbit orbit = find_fbp_orbit(scan, request.stacked_fans);
  FbpPlan plan;
  plan.beam = scan.beam == Beam::parallel              ? FbpBeam::parallel
              : scan.detector == DetectorShape::curved ? FbpBeam::curved_fan
                                                       : FbpBeam::flat_fan;
  plan.views = static_cast<int>(scan.views.size());
  plan.raw_columns = plan.columns = scan.columns;
  plan.rows = scan.rows;
  plan.top_down = orbit.top_down;
  if (plan.beam == FbpBeam::parallel)
    weigh_parallel(request, orbit, &plan);
  else
    weigh_fan(request, orbit, &plan);
  place_grid(request, orbit, &plan);
  place_pixels(request, orbit, &plan);
  const int filtered = plan.columns + plan.extension.columns;
  plan.length = ramp_filter_length(filtered);
  plan.response = ramp_response(plan.length, filtered, orbit.step.front(), request.window, request.cutoff,
                                request.scale, plan.beam == FbpBeam::curved_fan ? orbit.step.front() : 0.0);
  return plan;
}

}  // namespace isocenter::detail
