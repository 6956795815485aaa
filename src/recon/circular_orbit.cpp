#include "recon/circular_orbit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <isocenter/operator.hpp>
#include <isocenter/recon/vector3.hpp>
#include <numbers>

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;
constexpr double off_orbit = 1e-2;  // of the radius: a gantry sags and shakes

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}
std::string view_name(std::size_t n) { return "view " + std::to_string(n); }

/// The plane through the sources: its normal is the direction in which they spread least.
Vector3 plane_normal(std::span<const View> views, const Vector3& mean) {
  Eigen::Matrix3d spread = Eigen::Matrix3d::Zero();
  for (const View& v : views) {
    const Vector3 d = minus(v.source_mm, mean);
    const Eigen::Vector3d e(d[0], d[1], d[2]);
    spread += e * e.transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(spread);
  if (solver.eigenvalues()[1] <= 1e-12 * solver.eigenvalues()[2])
    throw Failure(ErrorCode::bad_data, "all sources of acquisition.views lie on one line, so there is no orbit",
                  "give the views of a scan on a circle");
  const Eigen::Vector3d n = solver.eigenvectors().col(0);
  Vector3 normal = {n[0], n[1], n[2]};
  const auto largest =
      std::max_element(normal.begin(), normal.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  return *largest < 0.0 ? times(-1.0, normal) : normal;
}

/// The centre, by least squares (Kåsa, IEEE Trans. Instrum. Meas. 25 (1976) 8): |s|² = 2 s·c + (r² - |c|²) is linear.
Vector3 circle_centre(std::span<const View> views, const Vector3& mean, const Vector3& e1, const Vector3& e2) {
  Eigen::Matrix3d a = Eigen::Matrix3d::Zero();
  Eigen::Vector3d b = Eigen::Vector3d::Zero();
  for (const View& v : views) {
    const Vector3 d = minus(v.source_mm, mean);
    const Eigen::Vector3d row(2.0 * dot(d, e1), 2.0 * dot(d, e2), 1.0);
    a += row * row.transpose();
    b += row * dot(d, d);
  }
  const Eigen::Vector3d c = a.colPivHouseholderQr().solve(b);
  return plus(mean, plus(times(c[0], e1), times(c[1], e2)));
}

void check_detector(const View& v, const Orbit& orbit, std::size_t n) {
  const double u = length(v.u_step_mm), w = length(v.v_step_mm);
  if (!(u > 0.0) || !(w > 0.0))
    throw Failure(
        ErrorCode::bad_data,
        view_name(n) + " has detector steps of " + number(u) + " mm and " + number(w) + " mm, which must be above 0",
        "give the distance between detector columns and rows in mm");
  if (std::fabs(dot(v.u_step_mm, v.v_step_mm)) > 1e-4 * u * w)
    throw Failure(ErrorCode::unsupported,
                  view_name(n) + " has a detector whose columns and rows are not at right angles",
                  "resample the projections onto a detector with orthogonal axes");
  const Vector3 normal = unit(cross(v.u_step_mm, v.v_step_mm));
  const double depth = dot(minus(v.detector_origin_mm, v.source_mm), normal);
  const double isocenter = dot(minus(orbit.centre_mm, v.source_mm), normal);
  if (depth * isocenter <= 0.0 || std::fabs(isocenter) < 0.5 * orbit.radius_mm)
    throw Failure(ErrorCode::bad_data,
                  view_name(n) + " has its detector (" + number(std::fabs(depth)) +
                      " mm from the source) on the wrong side of the source or edge-on to the isocentre",
                  "check detector_origin_mm, u_step_mm and v_step_mm of this view");
  if (std::fabs(depth) < std::fabs(isocenter) - off_orbit * orbit.radius_mm)
    throw Failure(ErrorCode::bad_data,
                  view_name(n) + " has its detector " + number(std::fabs(depth)) +
                      " mm from the source, before the isocentre, which is " + number(std::fabs(isocenter)) +
                      " mm from it",
                  "check the distance from source to detector and detector_origin_mm of this view");
}

/// Vectors whose products with a place on the detector give its part along u and along v.
struct ReciprocalSteps {
  Vector3 u, v;
};
ReciprocalSteps reciprocal_steps(const View& view) {
  const Vector3 &u = view.u_step_mm, &v = view.v_step_mm;
  const double uu = dot(u, u), uv = dot(u, v), vv = dot(v, v), area = uu * vv - uv * uv;
  return {times(1.0 / area, minus(times(vv, u), times(uv, v))), times(1.0 / area, minus(times(uu, v), times(uv, u)))};
}

}  // namespace

Orbit find_circular_orbit(std::span<const View> views, Beam beam) {
  if (beam != Beam::cone)
    throw Failure(ErrorCode::unsupported, "acquisition.beam is parallel, and FDK takes a cone beam",
                  "acquire with a cone or fan beam");
  if (views.size() < 3)
    throw Failure(ErrorCode::bad_data,
                  (views.size() == 1 ? "there is 1 view" : "there are " + std::to_string(views.size()) + " views") +
                      std::string(" in acquisition.views, and a circle needs at least 3"),
                  "give all views of the scan");
  for (std::size_t n = 0; n < views.size(); ++n)
    for (const auto* p : {&views[n].source_mm, &views[n].detector_origin_mm, &views[n].u_step_mm, &views[n].v_step_mm})
      for (const double x : *p)
        if (!std::isfinite(x))
          throw Failure(ErrorCode::bad_data, view_name(n) + " has a position in acquisition.views that is not a number",
                        "check the geometry of this view");

  Vector3 mean{};
  for (const View& v : views) mean = plus(mean, times(1.0 / static_cast<double>(views.size()), v.source_mm));
  Orbit orbit;
  orbit.axis = plane_normal(views, mean);
  const Vector3 e1 = unit(cross(std::fabs(orbit.axis[1]) < 0.9 ? Vector3{0, 1, 0} : Vector3{0, 0, 1}, orbit.axis));
  const Vector3 e2 = cross(orbit.axis, e1);
  orbit.centre_mm = circle_centre(views, mean, e1, e2);
  for (const View& v : views)
    orbit.radius_mm += length(minus(v.source_mm, orbit.centre_mm)) / static_cast<double>(views.size());
  for (std::size_t n = 0; n < views.size(); ++n) {
    const Vector3 d = minus(views[n].source_mm, orbit.centre_mm);
    const double in_plane = std::hypot(dot(d, e1), dot(d, e2));
    const double off = std::hypot(in_plane - orbit.radius_mm, dot(d, orbit.axis));
    if (off > off_orbit * orbit.radius_mm)
      throw Failure(ErrorCode::unsupported,
                    "the source of " + view_name(n) + " lies " + number(off) +
                        " mm from the circle through all sources (radius " + number(orbit.radius_mm) +
                        " mm), and a hundredth of the radius is allowed",
                    "give the views of a scan on a circle, or correct this view's geometry");
    const double angle = std::atan2(dot(d, e2), dot(d, e1));
    orbit.angle_rad.push_back(angle < 0.0 ? angle + 2.0 * pi : angle);
    check_detector(views[n], orbit, n);
  }
  return orbit;
}

FdkMatrix projection_matrix(const View& view, const Orbit& orbit, const VoxelGrid& grid, std::int64_t view_number) {
  Vector3 normal = unit(cross(view.u_step_mm, view.v_step_mm));
  if (dot(minus(view.detector_origin_mm, view.source_mm), normal) < 0.0) normal = times(-1.0, normal);
  const double depth = dot(minus(view.detector_origin_mm, view.source_mm), normal);
  const double isocenter = dot(minus(orbit.centre_mm, view.source_mm), normal);
  const Vector3 to_origin = minus(view.detector_origin_mm, view.source_mm);
  const auto [u, v] = reciprocal_steps(view);
  // A point x = source + d meets the detector at source + d * depth / (d·n); its column is that point's part along u.
  // With w = d·n / isocenter: u w = (depth / isocenter) d·u - w (to_origin·u), and so for v.
  Vector3 row[3];
  row[2] = times(1.0 / isocenter, normal);
  row[0] = minus(times(depth / isocenter, u), times(dot(to_origin, u), row[2]));
  row[1] = minus(times(depth / isocenter, v), times(dot(to_origin, v), row[2]));
  FdkMatrix matrix{};
  const Vector3 start = minus(grid.origin_mm, view.source_mm);
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t k = 0; k < 3; ++k) matrix.m[4 * r + k] = static_cast<float>(row[r][k] * grid.spacing_mm[k]);
    matrix.m[4 * r + 3] = static_cast<float>(dot(row[r], start));
  }
  const double nearest = dot(row[2], start) +
                         std::min(0.0, row[2][0] * grid.spacing_mm[0] * static_cast<double>(grid.nx - 1)) +
                         std::min(0.0, row[2][1] * grid.spacing_mm[1] * static_cast<double>(grid.ny - 1)) +
                         std::min(0.0, row[2][2] * grid.spacing_mm[2] * static_cast<double>(grid.nz - 1));
  if (nearest <= 0.0)
    throw Failure(ErrorCode::invalid_argument,
                  "the volume reaches to or behind the source of " + view_name(static_cast<std::size_t>(view_number)),
                  "make nx, ny or spacing_mm smaller, so that the volume stays inside the orbit (radius " +
                      number(orbit.radius_mm) + " mm)");
  return matrix;
}

FdkViewWeight view_weight(const View& view, const Orbit& orbit, double share_rad, double filter_step_mm) {
  const Vector3 normal = unit(cross(view.u_step_mm, view.v_step_mm));
  const Vector3 to_source = minus(view.source_mm, view.detector_origin_mm);
  const double depth = std::fabs(dot(to_source, normal));
  const double isocenter = std::fabs(dot(minus(orbit.centre_mm, view.source_mm), normal));
  const double u_step = length(view.u_step_mm), v_step = length(view.v_step_mm);
  const auto [u, v] = reciprocal_steps(view);
  // The rays' cosines, the ramp's scale 1 / step² and the way's length, from the plane through the axis to this one.
  const double scale = filter_step_mm * orbit.radius_mm * depth / (u_step * isocenter * isocenter);
  FdkViewWeight w{static_cast<float>(dot(to_source, u)), static_cast<float>(dot(to_source, v)),
                  static_cast<float>(u_step / depth), static_cast<float>(v_step / depth),
                  static_cast<float>(0.5 * share_rad * scale)};
  w.shear = static_cast<float>(dot(view.u_step_mm, view.v_step_mm) / (u_step * v_step));
  return w;
}

double column_step_at_isocenter_mm(const View& view, const Orbit& orbit) {
  const Vector3 normal = unit(cross(view.u_step_mm, view.v_step_mm));
  const double depth = std::fabs(dot(minus(view.detector_origin_mm, view.source_mm), normal));
  return length(view.u_step_mm) * std::fabs(dot(minus(orbit.centre_mm, view.source_mm), normal)) / depth;
}

}  // namespace isocenter::detail
