#include "recon/helical_orbit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;

std::string text_of(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", v);
  return text;
}

std::string view_name(std::size_t n) { return "view " + std::to_string(n); }

/// The circle of the sources seen along z: x² + y² = 2 cx x + 2 cy y + c, by least squares (Kasa, IEEE Trans. Instrum.
/// Meas. 25 (1976) 8).
void fit_circle(const Acquisition& scan, Helix* helix) {
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right = Eigen::Vector3d::Zero();
  const Vector3 origin = scan.views.front().source_mm;
  for (const View& v : scan.views) {
    const double x = v.source_mm[0] - origin[0], y = v.source_mm[1] - origin[1];
    const Eigen::Vector3d row(2.0 * x, 2.0 * y, 1.0);
    normal += row * row.transpose();
    right += row * (x * x + y * y);
  }
  const Eigen::FullPivLU<Eigen::Matrix3d> solver(normal);
  const Eigen::Vector3d fit = solver.solve(right);
  const double squared = fit[2] + fit[0] * fit[0] + fit[1] * fit[1];
  if (!solver.isInvertible() || !(squared > 0.0) || !std::isfinite(squared))
    throw Failure(ErrorCode::unsupported, "the sources lie on no circle around an axis along z",
                  "give a helix around the patient's z axis, or use an iterative reconstruction");
  helix->centre_x_mm = origin[0] + fit[0];
  helix->centre_y_mm = origin[1] + fit[1];
  helix->radius_mm = std::sqrt(squared);
}

double angle_of(const Helix& h, const View& v) {
  return std::atan2(v.source_mm[0] - h.centre_x_mm, -(v.source_mm[1] - h.centre_y_mm));
}

/// Angles and the way along z, each a straight line over the views.
void fit_motion(const Acquisition& scan, Helix* helix) {
  const std::size_t n = scan.views.size();
  std::vector<double> angle(n);
  angle[0] = angle_of(*helix, scan.views[0]);
  for (std::size_t k = 1; k < n; ++k)
    angle[k] = angle[k - 1] + std::remainder(angle_of(*helix, scan.views[k]) - angle[k - 1], 2.0 * pi);
  const double last = static_cast<double>(n - 1);
  helix->first_angle_rad = angle[0];
  helix->step_rad = (angle[n - 1] - angle[0]) / last;
  helix->first_z_mm = scan.views[0].source_mm[2];
  const double z_step = (scan.views[n - 1].source_mm[2] - helix->first_z_mm) / last;
  if (!(std::fabs(helix->step_rad) * last >= pi))
    throw Failure(ErrorCode::bad_data,
                  "the views turn by " + text_of(std::fabs(helix->step_rad) * last * 180.0 / pi) +
                      " deg in all, and a helix needs half a turn and more",
                  "give all views of the scan, in the order in which they were taken");
  helix->feed_mm = z_step / helix->step_rad;
  const double row_mm = length(scan.views[0].v_step_mm);
  for (std::size_t k = 0; k < n; ++k) {
    const Vector3& s = scan.views[k].source_mm;
    const double from_axis = std::hypot(s[0] - helix->centre_x_mm, s[1] - helix->centre_y_mm);
    if (std::fabs(from_axis - helix->radius_mm) > 1e-3 * helix->radius_mm)
      throw Failure(ErrorCode::unsupported,
                    "the source of " + view_name(k) + " is " + text_of(from_axis) + " mm from the axis, and the " +
                        "others about " + text_of(helix->radius_mm) + " mm",
                    "give a helix of one radius around the patient's z axis");
    const double off = angle[k] - angle[0] - static_cast<double>(k) * helix->step_rad;
    if (std::fabs(off) > 0.1 * std::fabs(helix->step_rad))
      throw Failure(ErrorCode::unsupported,
                    view_name(k) + " is " + text_of(std::fabs(off) * 180.0 / pi) +
                        " deg from where views at even angles of " + text_of(std::fabs(helix->step_rad) * 180.0 / pi) +
                        " deg would have it",
                    "give equally spaced views in the order in which they were taken");
    const double z = helix->first_z_mm + static_cast<double>(k) * z_step;
    if (std::fabs(s[2] - z) > 0.25 * row_mm)
      throw Failure(ErrorCode::unsupported,
                    "the source of " + view_name(k) + " is at z = " + text_of(s[2]) +
                        " mm, and a table that moves evenly would have it at " + text_of(z) + " mm",
                    "give a helix with one feed; a sequence of circles goes to fdk_reconstruction");
  }
  if (std::fabs(z_step) * last < 1e-3 * row_mm)
    throw Failure(ErrorCode::unsupported, "the source does not move along z, so that this is a circle and no helix",
                  "use fdk_reconstruction");
}

struct Detector {
  double distance = 0, first_column = 0, column_step = 0, first_row_mm = 0, row_step_mm = 0;
};

Detector detector_of_view(const Helix& h, const Acquisition& scan, std::size_t n) {
  const View& v = scan.views[n];
  const double beta = angle_of(h, v);
  const Vector3 to_source{std::sin(beta), -std::cos(beta), 0}, along{std::cos(beta), std::sin(beta), 0};
  const Vector3 d = minus(v.detector_origin_mm, v.source_mm);
  const auto refuse = [&](const char* what) {
    throw Failure(ErrorCode::unsupported, "the detector of " + view_name(n) + " has " + what,
                  "give a helix with an aligned detector, or use an iterative reconstruction");
  };
  Detector found;
  if (std::hypot(v.v_step_mm[0], v.v_step_mm[1]) > 2e-3 * length(v.v_step_mm))
    refuse("rows that do not step along the helix' axis (z)");
  found.row_step_mm = v.v_step_mm[2];
  found.first_row_mm = d[2];
  if (scan.detector == DetectorShape::flat) {
    const double step = dot(v.u_step_mm, along);
    if (std::fabs(step) < (1.0 - 2e-6) * length(v.u_step_mm)) refuse("columns that do not step along the source's way");
    found.distance = -dot(d, to_source);
    found.first_column = dot(d, along);
    found.column_step = step;
    return found;
  }
  const Vector3 out = v.radius_to_column_0();
  const double fan = std::atan2(dot(out, along), -dot(out, to_source));
  const Vector3 tangent = plus(times(std::cos(fan), along), times(std::sin(fan), to_source));
  found.distance = length(out);
  found.first_column = fan;
  found.column_step = std::copysign(length(v.u_step_mm) / found.distance, dot(v.u_step_mm, tangent));
  return found;
}

void find_detector(const Acquisition& scan, Helix* helix) {
  const Detector first = detector_of_view(*helix, scan, 0);
  const double column = std::fabs(first.column_step), row = std::fabs(first.row_step_mm);
  for (std::size_t n = 1; n < scan.views.size(); ++n) {
    const Detector d = detector_of_view(*helix, scan, n);
    const double last = scan.columns - 1;
    const bool same = std::fabs(d.distance - first.distance) < 1e-3 * first.distance &&
                      std::fabs(d.first_column - first.first_column) < 0.1 * column &&
                      std::fabs(d.column_step - first.column_step) * last < 0.1 * column &&
                      std::fabs(d.first_row_mm - first.first_row_mm) < 0.1 * row &&
                      std::fabs(d.row_step_mm - first.row_step_mm) * (scan.rows - 1) < 0.1 * row;
    if (!same)
      throw Failure(ErrorCode::unsupported,
                    "the detector of " + view_name(n) + " stands otherwise to its source than that of view 0",
                    "give a helix with one detector; for a flying focal spot give each spot's views apart");
  }
  helix->flat = scan.detector == DetectorShape::flat;
  helix->detector_mm = first.distance;
  helix->first_column = first.first_column;
  helix->column_step = first.column_step;
  helix->centre_row = -first.first_row_mm / first.row_step_mm;
  helix->row_step_mm = first.row_step_mm;
}

}  // namespace

double Helix::fan_of_column(double i) const {
  const double at = first_column + i * column_step;
  return flat ? std::atan(at / detector_mm) : at;
}

double Helix::column_of_fan(double fan_rad) const {
  return ((flat ? detector_mm * std::tan(fan_rad) : fan_rad) - first_column) / column_step;
}

double Helix::feed_per_rotation_mm() const { return std::fabs(feed_mm) * 2.0 * pi; }

double Helix::field_of_view_mm() const {
  const double a = fan_of_column(0), b = fan_of_column(columns - 1);
  return radius_mm * std::sin(std::min(std::fabs(a), std::fabs(b)));
}

Helix find_helix(const Acquisition& scan) {
  if (scan.rows < 2)
    throw Failure(ErrorCode::unsupported, "the projections have one row, and a helix of cone beams needs two or more",
                  "give all rows of the detector");
  Helix helix;
  helix.views = static_cast<int>(scan.views.size());
  helix.columns = scan.columns;
  helix.rows = scan.rows;
  fit_circle(scan, &helix);
  fit_motion(scan, &helix);
  find_detector(scan, &helix);
  const double a = helix.fan_of_column(0), b = helix.fan_of_column(scan.columns - 1);
  if (!(a * b < 0.0) || std::fabs(a + b) > 0.1 * std::fabs(b - a))
    throw Failure(ErrorCode::unsupported,
                  "the detector reaches from " + text_of(std::min(a, b) * 180.0 / pi) + " to " +
                      text_of(std::max(a, b) * 180.0 / pi) + " deg around the central ray",
                  "centre the detector to a tenth of its width (a quarter of a column is fine)");
  if (std::max(std::fabs(a), std::fabs(b)) > 0.6)
    throw Failure(ErrorCode::unsupported,
                  "the fan opens to " + text_of(std::max(std::fabs(a), std::fabs(b)) * 180.0 / pi) +
                      " deg on one side, and 34 deg are the most",
                  "crop the detector's columns");
  return helix;
}

namespace {

/// Calls visit(fan, across, scale, in) over the lines that cross a disc: `across` from the source's foot to the
/// line's middle, `scale` the detector's distance along it, `in` half the line's length within the disc.
template <class F>
void over_lines(const Helix& h, double radius_mm, F&& visit) {
  constexpr int lines = 200;
  const double most = std::min(radius_mm, h.field_of_view_mm());
  for (int i = 0; i <= lines; ++i) {
    const double t = most * i / lines, fan = std::asin(t / h.radius_mm), cosine = std::cos(fan);
    visit(fan, h.radius_mm * cosine, h.flat ? h.detector_mm / cosine : h.detector_mm,
          std::sqrt(std::max(0.0, most * most - t * t)));
  }
}

/// The rows' reach from the source's plane against (back) and along (front) the table's way, mm on the detector.
struct Reach {
  double back, front;
};
Reach reach_of(const Helix& h) {
  const double a = (0.0 - h.centre_row) * h.row_step_mm, b = (h.rows - 1 - h.centre_row) * h.row_step_mm;
  const double low = std::min(a, b), high = std::max(a, b);
  return h.feed_mm * h.step_rad > 0.0 ? Reach{-low, high} : Reach{high, -low};
}

}  // namespace

double largest_feed_mm(const Helix& helix, double radius_mm) {
  const Reach r = reach_of(helix);
  double least = 1e30;
  over_lines(helix, radius_mm, [&](double fan, double across, double scale, double in) {
    // Front of the earlier ray against back of the later one, which meet the voxel from opposite sides.
    const double meets = ((r.front + r.back) * across - std::fabs(r.front - r.back) * in) / scale;
    least = std::min(least, 2.0 * pi * meets / (pi + 2.0 * fan));
  });
  return least;
}

HelicalRange covered_range(const Helix& helix, double radius_mm) {
  const Reach r = reach_of(helix);
  double behind = 0.0, before = 0.0;  // how far inside the source's way the range begins and ends
  bool first = true;
  over_lines(helix, radius_mm, [&](double fan, double across, double scale, double in) {
    const double way = std::fabs(helix.feed_mm) * (pi + 2.0 * fan);
    const double b = way - r.back * (across - in) / scale, f = way - r.front * (across - in) / scale;
    behind = first ? b : std::max(behind, b);
    before = first ? f : std::max(before, f);
    first = false;
  });
  const bool up = helix.last_z_mm() > helix.first_z_mm;
  return up ? HelicalRange{helix.first_z_mm + behind, helix.last_z_mm() - before}
            : HelicalRange{helix.last_z_mm() + before, helix.first_z_mm - behind};
}

}  // namespace isocenter::detail
