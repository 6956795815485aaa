#include "recon/fbp_orbit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>

namespace isocenter::detail {

namespace {

constexpr double out_of_plane = 1e-3;      // sine of the angle between rows or rays and the plane
constexpr double height_tolerance = 0.05;  // in rows

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}
std::string name_of(std::size_t n) { return "view " + std::to_string(n); }

Vector3 in_plane(const Vector3& v, const Vector3& normal) { return minus(v, times(dot(v, normal), normal)); }

/// z along the axis, towards its largest part's positive end; x as near to the patient's x as it can be (its y where
/// the axis is the patient's x).
void choose_axes(const Vector3& axis, FbpOrbit* orbit) {
  const auto largest =
      std::max_element(axis.begin(), axis.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b) - 1e-9; });
  orbit->z = *largest < 0.0 ? times(-1.0, axis) : axis;
  const bool along_x = largest == axis.begin();
  orbit->x = unit(in_plane(along_x ? Vector3{0, 1, 0} : Vector3{1, 0, 0}, orbit->z));
  orbit->y = cross(orbit->z, orbit->x);
}

void check_plane(const Acquisition& scan, const FbpOrbit& orbit, bool rows_are_planes) {
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    const double u = std::fabs(dot(unit(v.u_step_mm), orbit.z));
    const double w = rows_are_planes ? length(cross(unit(v.v_step_mm), orbit.z)) : 0.0;
    const double ray = scan.beam == Beam::parallel ? std::fabs(dot(v.source_mm, orbit.z)) : 0.0;
    if (std::max({u, w, ray}) <= out_of_plane) continue;
    const char* what = u == std::max({u, w, ray})   ? "detector rows that leave the plane of rotation"
                       : w == std::max({u, w, ray}) ? "detector columns that are not along the rotation axis"
                                                    : "rays that leave the plane of rotation";
    throw Failure(
        ErrorCode::unsupported,
        name_of(n) + " has " + what + " by " + number(std::asin(std::max({u, w, ray})) * 180.0 / std::numbers::pi) +
            " deg, and slices are reconstructed in planes, within " + number(out_of_plane * 180.0 / std::numbers::pi) +
            " deg",
        "align the detector with the rotation axis, or use fdk_reconstruction or an iterative reconstruction");
  }
}

/// The height of each view's row 0 over the centre; the same in all of them.
double height_of_row_0(const Acquisition& scan, const FbpOrbit& orbit) {
  const auto height = [&](const View& v) { return dot(v.detector_origin_mm, orbit.z); };
  const double first = height(scan.views.front()), row = length(scan.views.front().v_step_mm);
  for (std::size_t n = 0; n < scan.views.size(); ++n)
    if (std::fabs(height(scan.views[n]) - first) > height_tolerance * row)
      throw Failure(
          ErrorCode::unsupported,
          name_of(n) + " has its rows " + number(height(scan.views[n]) - first) +
              " mm along the rotation axis from those of view 0, and a slice is one row of all views, within " +
              number(height_tolerance * row) + " mm",
          "give views of a scan that does not move along its axis, or rebin the helix to planes first");
  return first;
}

/// Parallel beam: the axis is where the detector's middle lies at the same distance from it in every view.
void find_parallel(const Acquisition& scan, FbpOrbit* orbit) {
  Vector3 axis{};
  const Vector3 first = unit(scan.views.front().v_step_mm);
  for (const View& v : scan.views)
    axis = plus(axis, times(dot(v.v_step_mm, first) < 0.0 ? -1.0 : 1.0, unit(v.v_step_mm)));
  choose_axes(unit(axis), orbit);
  check_plane(scan, *orbit, true);
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Vector3d right = Eigen::Vector3d::Zero();
  for (const View& v : scan.views) {
    Vector3 across = unit(cross(orbit->z, v.source_mm));
    if (dot(across, v.u_step_mm) < 0.0) across = times(-1.0, across);
    orbit->across.push_back(across);
    orbit->step.push_back(dot(v.u_step_mm, across));
    const Eigen::Vector3d row(dot(across, orbit->x), dot(across, orbit->y), 1.0);
    normal += row * row.transpose();
    right += row * dot(v.element_mm(0.5 * (scan.columns - 1), 0.0), across);
  }
  const Eigen::Vector3d c = normal.colPivHouseholderQr().solve(right);
  orbit->centre_mm = plus(times(c[0], orbit->x), times(c[1], orbit->y));
  for (std::size_t n = 0; n < scan.views.size(); ++n)
    orbit->centre_column.push_back(dot(minus(orbit->centre_mm, scan.views[n].detector_origin_mm), orbit->across[n]) /
                                   orbit->step[n]);
}

void refuse_cone(int rows) {
  throw Failure(ErrorCode::unsupported,
                "acquisition.beam is cone and the detector has " + std::to_string(rows) +
                    " rows, and filtered back projection takes planes: one row of a fan beam, or a parallel beam",
                "use fdk_reconstruction; or, when each row was taken or rebinned as a fan in its own plane, set "
                "stacked_fans to true");
}

void check_fan_plane(const Acquisition& scan, const FbpOrbit& orbit) {
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    const double off = dot(minus(v.detector_origin_mm, v.source_mm), orbit.z), allowed = 0.5 * length(v.v_step_mm);
    if (std::fabs(off) > allowed)
      throw Failure(ErrorCode::unsupported,
                    name_of(n) + " has its detector row " + number(off) +
                        " mm from the plane of rotation, and a fan lies in it, within half a row (" + number(allowed) +
                        " mm)",
                    "use fdk_reconstruction, or correct detector_origin_mm of the views");
  }
}

void find_fan(const Acquisition& scan, bool stacked, FbpOrbit* orbit) {
  if (scan.rows > 1 && !stacked) refuse_cone(scan.rows);
  orbit->circle = find_circular_orbit(scan.views, Beam::cone);
  choose_axes(orbit->circle.axis, orbit);
  check_plane(scan, *orbit, stacked);
  if (!stacked) check_fan_plane(scan, *orbit);
  orbit->centre_mm = in_plane(orbit->circle.centre_mm, orbit->z);
  const bool curved = scan.detector == DetectorShape::curved;
  for (std::size_t n = 0; n < scan.views.size(); ++n) {
    const View& v = scan.views[n];
    Vector3 depth{}, across = unit(in_plane(v.u_step_mm, orbit->z));
    if (curved) {
      depth = unit(fan_ray(scan, *orbit, n, 0.5 * (scan.columns - 1)));
      const Vector3 along = cross(orbit->z, depth);
      across = dot(along, across) < 0.0 ? times(-1.0, along) : along;
    } else {
      depth = cross(orbit->z, across);
      if (dot(minus(v.detector_origin_mm, v.source_mm), depth) < 0.0) depth = times(-1.0, depth);
    }
    orbit->across.push_back(across);
    orbit->depth.push_back(depth);
    const double u = length(v.u_step_mm);
    orbit->step.push_back(curved ? u / length(v.radius_to_column_0()) : u);
    const Vector3 centre = in_plane(minus(orbit->centre_mm, v.source_mm), orbit->z);
    const double a = dot(centre, across), d = dot(centre, depth);
    const Vector3 origin = minus(v.detector_origin_mm, v.source_mm);
    orbit->centre_column.push_back(curved ? 0.5 * (scan.columns - 1) + std::atan2(a, d) / orbit->step.back()
                                          : (a / d * dot(origin, depth) - dot(origin, across)) / orbit->step.back());
  }
}

}  // namespace

Vector3 fan_ray(const Acquisition& scan, const FbpOrbit& orbit, std::size_t view, double column) {
  const View& v = scan.views[view];
  return in_plane(minus(v.element_mm(column, 0.0, scan.detector), v.source_mm), orbit.z);
}

FbpOrbit find_fbp_orbit(const Acquisition& scan, bool stacked_fans) {
  FbpOrbit orbit;
  const bool fan = scan.beam == Beam::cone, planes = !fan || stacked_fans;
  if (fan)
    find_fan(scan, stacked_fans, &orbit);
  else
    find_parallel(scan, &orbit);
  const View& first = scan.views.front();
  const double row = dot(first.v_step_mm, orbit.z);
  orbit.top_down = row < 0.0;
  double height = height_of_row_0(scan, orbit) + (orbit.top_down ? (scan.rows - 1) * row : 0.0);
  orbit.slice_step_mm = std::fabs(row);
  if (!planes) {  // one row, in the focal spot's plane, as thick as it is at the centre
    height = dot(orbit.circle.centre_mm, orbit.z);
    const double nearer = dot(minus(orbit.centre_mm, in_plane(first.source_mm, orbit.z)), orbit.depth.front());
    orbit.slice_step_mm *= nearer / dot(fan_ray(scan, orbit, 0, orbit.centre_column.front()), orbit.depth.front());
  }
  orbit.centre_mm = plus(orbit.centre_mm, times(height, orbit.z));
  return orbit;
}

}  // namespace isocenter::detail
