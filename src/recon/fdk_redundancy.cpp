#include "recon/fdk_redundancy.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/operator.hpp>
#include <numbers>
#include <numeric>

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;

std::string degrees(double rad) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", rad * 180.0 / pi);
  return text;
}

double from(double angle, double begin) {
  const double d = std::fmod(angle - begin, 2.0 * pi);
  return d < 0.0 ? d + 2.0 * pi : d;
}

}  // namespace

ScanArc find_scan_arc(const Orbit& orbit) {
  const std::size_t n = orbit.angle_rad.size();
  std::vector<std::size_t> by_angle(n);
  std::iota(by_angle.begin(), by_angle.end(), std::size_t{0});
  const auto angle = [&](std::size_t i) { return orbit.angle_rad[by_angle[i % n]]; };
  std::sort(by_angle.begin(), by_angle.end(), [&](std::size_t a, std::size_t b) {
    return orbit.angle_rad[a] != orbit.angle_rad[b] ? orbit.angle_rad[a] < orbit.angle_rad[b] : a < b;
  });
  double widest = -1.0, second = -1.0;
  std::size_t after = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double gap = angle(i + 1) - angle(i) + (i + 1 == n ? 2.0 * pi : 0.0);
    if (gap > widest) {
      second = widest;
      widest = gap;
      after = i;
    } else {
      second = std::max(second, gap);
    }
  }
  ScanArc arc;
  arc.full = widest <= 3.0 * second;
  arc.last_view = static_cast<std::int64_t>(by_angle[after]);
  const double step = (2.0 * pi - widest) / static_cast<double>(n - 1);
  arc.length_rad = arc.full ? 2.0 * pi : 2.0 * pi - widest + step;
  arc.begin_rad = arc.full ? 0.0 : from(angle(after + 1), 0.5 * step);
  return arc;
}

std::vector<double> angular_weights(const Orbit& orbit, const ScanArc& arc, std::span<const std::int64_t> members,
                                    double largest_gap_rad, const std::string& what) {
  std::vector<std::size_t> by_angle(members.size());
  std::iota(by_angle.begin(), by_angle.end(), std::size_t{0});
  const auto angle = [&](std::size_t i) {
    return from(orbit.angle_rad[static_cast<std::size_t>(members[i])], arc.begin_rad);
  };
  std::sort(by_angle.begin(), by_angle.end(),
            [&](std::size_t a, std::size_t b) { return angle(a) != angle(b) ? angle(a) < angle(b) : a < b; });
  std::vector<double> weights(members.size(), 0.0);
  for (std::size_t i = 0; i < by_angle.size(); ++i) {
    const bool last = i + 1 == by_angle.size();
    const std::size_t a = by_angle[i], b = by_angle[last ? 0 : i + 1];
    double gap = angle(b) - angle(a);
    if (last && arc.full) gap += 2.0 * pi;
    if (last && !arc.full) {  // what the arc's two ends have beyond their last views
      gap = std::max(angle(b), arc.length_rad - angle(a));
      weights[a] += arc.length_rad - angle(a);
      weights[b] += angle(b);
    } else {
      weights[a] += 0.5 * gap;
      weights[b] += 0.5 * gap;
    }
    if (gap > largest_gap_rad)
      throw Failure(ErrorCode::bad_data,
                    what + " has no view over " + degrees(gap) + " deg after view " + std::to_string(members[a]) +
                        ", and largest_gap_deg = " + degrees(largest_gap_rad),
                    "scan without gaps, take more views or fewer phases, or allow a larger gap");
  }
  return weights;
}

void check_short_scan(const ScanArc& arc, double half_fan_rad) {
  const double needed = pi + 2.0 * half_fan_rad;
  // A step's rounding is not a missing view.
  if (arc.full || arc.length_rad >= needed - 1e-6) return;
  throw Failure(ErrorCode::bad_data,
                "the views cover " + degrees(arc.length_rad) + " deg, and a short scan needs 180 deg and the fan of " +
                    degrees(2.0 * half_fan_rad) + " deg: " + degrees(needed - arc.length_rad) +
                    " deg are missing after view " + std::to_string(arc.last_view),
                "scan at least " + degrees(needed) + " deg, or collimate to a narrower detector");
}

double parker_weight(double beta_rad, double gamma_rad, double arc_rad) {
  const double half = 0.5 * (arc_rad - pi);  // stands for the fan's half angle
  const auto rising = [](double part) { return std::pow(std::sin(0.5 * pi * std::clamp(part, 0.0, 1.0)), 2); };
  if (beta_rad < 2.0 * (half - gamma_rad)) return rising(0.5 * beta_rad / (half - gamma_rad));
  if (beta_rad > pi - 2.0 * gamma_rad) return rising(0.5 * (arc_rad - beta_rad) / (half + gamma_rad));
  return 1.0;
}

double displaced_weight(double gamma_rad, double overlap_rad) {
  return 1.0 + std::sin(0.5 * pi * std::clamp(gamma_rad / overlap_rad, -1.0, 1.0));
}

}  // namespace isocenter::detail
