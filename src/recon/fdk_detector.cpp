#include "recon/fdk_detector.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <isocenter/recon/vector3.hpp>
#include <limits>

namespace isocenter::detail {

namespace {

Eigen::Vector3d eigen(const Vector3& v) { return {v[0], v[1], v[2]}; }
Eigen::Matrix3d columns_of(const Vector3& a, const Vector3& b, const Vector3& c) {
  Eigen::Matrix3d m;
  m << eigen(a), eigen(b), eigen(c);
  return m;
}

/// From the source in the orbit's plane to its centre, and along the source's way.
struct Directions {
  Vector3 central, tangent;
};
Directions directions_of(const View& view, const Orbit& orbit) {
  const Vector3 in = minus(orbit.centre_mm, view.source_mm);
  const Vector3 central = unit(minus(in, times(dot(in, orbit.axis), orbit.axis)));
  return {central, cross(orbit.axis, central)};
}

/// Where the central ray meets a detector: i, j, and its length.
struct Centre {
  double column, row, depth_mm;
};
Centre centre_of(const View& view, const Vector3& central) {
  const Eigen::Vector3d p =
      columns_of(view.u_step_mm, view.v_step_mm, minus(view.detector_origin_mm, view.source_mm)).inverse() *
      eigen(central);
  return {p[0] / p[2], p[1] / p[2], 1.0 / p[2]};
}

int nearest_axis(const Vector3& v) {
  int nearest = 2;
  for (const int k : {0, 1})
    if (std::fabs(v[static_cast<std::size_t>(k)]) > std::fabs(v[static_cast<std::size_t>(nearest)]) + 1e-9) nearest = k;
  return nearest;
}

/// Whether rows follow the source's way (a thousandth is invisible), and columns the volume's axis (a millionth of the
/// volume's height is less than a thousandth of an element).
bool is_aligned(const View& view, const Directions& d, const Vector3& along) {
  return length(cross(unit(view.u_step_mm), d.tangent)) < 1e-3 && length(cross(unit(view.v_step_mm), along)) < 1e-6;
}

/// Real and virtual detector of one view: their elements' directions from the source.
struct Pair {
  Eigen::Matrix3d real, made;  ///< (u, v, 1) or (i, j, 1) to a direction

  std::pair<double, double> made_of(double u, double v) const {
    const Eigen::Vector3d p = made.inverse() * (real * Eigen::Vector3d(u, v, 1.0));
    return {p[0] / p[2], p[1] / p[2]};
  }
};

struct Range {
  double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
  void add(double v) { low = std::min(low, v), high = std::max(high, v); }
};

FilterDetector resampled_detector(std::span<const View> views, const Orbit& orbit, int columns, int rows,
                                  const Vector3& axis) {
  FilterDetector detector;
  std::vector<Pair> pairs;
  Range across, along;  // elements from the central ray: the middles of the real detectors' sides, in all views
  for (const View& view : views) {
    const Directions d = directions_of(view, orbit);
    const bool turned = std::fabs(dot(view.u_step_mm, d.tangent)) < std::fabs(dot(view.v_step_mm, d.tangent));
    const Vector3& like_u = turned ? view.v_step_mm : view.u_step_mm;
    const Vector3& like_v = turned ? view.u_step_mm : view.v_step_mm;
    const double u_sign = dot(like_u, d.tangent) < 0.0 ? -1.0 : 1.0, v_sign = dot(like_v, axis) < 0.0 ? -1.0 : 1.0;
    View made = view;
    made.u_step_mm = times(u_sign * length(like_u), d.tangent);
    // Between rows of an oblique detector columns shift; more rows take away the blur of interpolating over that.
    made.v_step_mm = times(v_sign * length(like_v) * std::fabs(dot(axis, orbit.axis)), axis);
    made.detector_origin_mm = plus(view.source_mm, times(centre_of(view, d.central).depth_mm, d.central));
    const auto matrix = [](const View& v) {
      return columns_of(v.u_step_mm, v.v_step_mm, minus(v.detector_origin_mm, v.source_mm));
    };
    const Pair pair{matrix(view), matrix(made)};
    const double u_end = columns - 1, v_end = rows - 1;
    for (const auto& [u, v] :
         {std::pair{0.0, 0.5 * v_end}, {u_end, 0.5 * v_end}, {0.5 * u_end, 0.0}, {0.5 * u_end, v_end}}) {
      const auto [i, j] = pair.made_of(u, v);
      across.add(i);
      along.add(j);
    }
    pairs.push_back(pair);
    detector.views.push_back(made);
  }
  const auto elements = [](const Range& r) { return static_cast<int>(std::lround(r.high - r.low)) + 1; };
  detector.columns = elements(across);
  detector.rows = elements(along);
  for (std::size_t n = 0; n < views.size(); ++n) {
    View& made = detector.views[n];
    made.detector_origin_mm =
        plus(made.detector_origin_mm, plus(times(across.low, made.u_step_mm), times(along.low, made.v_step_mm)));
    const Pair& pair = pairs[n];
    const Eigen::Matrix3d to_real = pair.real.inverse() * columns_of(made.u_step_mm, made.v_step_mm,
                                                                     minus(made.detector_origin_mm, made.source_mm));
    FdkRectification r{};
    for (int k = 0; k < 9; ++k) r.m[k] = static_cast<float>(to_real(k / 3, k % 3));
    // How far the corners lie off the middles of their sides, because the detector is turned.
    const double u_end = columns - 1, v_end = rows - 1;
    double reach_columns = 0.0, reach_rows = 0.0;
    for (const double u : {0.0, u_end})
      for (const double v : {0.0, v_end}) {
        const auto corner = pair.made_of(u, v);
        reach_columns = std::max(reach_columns, std::fabs(corner.first - pair.made_of(u, 0.5 * v_end).first));
        reach_rows = std::max(reach_rows, std::fabs(corner.second - pair.made_of(0.5 * u_end, v).second));
      }
    r.reach_columns = static_cast<float>(reach_columns + 1.0);
    r.reach_rows = static_cast<float>(reach_rows + 1.0);
    detector.rectification.push_back(r);
  }
  return detector;
}

}  // namespace

FilterDetector find_filter_detector(std::span<const View> views, const Orbit& orbit, int columns, int rows) {
  const int axis = nearest_axis(orbit.axis);
  Vector3 along{};
  along[static_cast<std::size_t>(axis)] = 1.0;
  const bool aligned = std::all_of(views.begin(), views.end(),
                                   [&](const View& v) { return is_aligned(v, directions_of(v, orbit), along); });
  FilterDetector detector;
  if (aligned) {
    detector.views.assign(views.begin(), views.end());
    detector.columns = columns;
    detector.rows = rows;
  } else {
    detector = resampled_detector(views, orbit, columns, rows, along);
  }
  detector.end = detector.columns;
  detector.column_axis = axis;
  for (const View& v : detector.views) {
    const Centre c = centre_of(v, directions_of(v, orbit).central);
    detector.centre_column.push_back(c.column);
    detector.centre_row.push_back(c.row);
  }
  return detector;
}

double fan_angle_rad(const FilterDetector& detector, const Orbit& orbit, std::size_t view, double column) {
  const View& v = detector.views[view];
  const Directions d = directions_of(v, orbit);
  const double across = (column - detector.centre_column[view]) * dot(v.u_step_mm, d.tangent);
  return std::atan2(across, centre_of(v, d.central).depth_mm);
}

void make_symmetric(FilterDetector* detector) {
  double low = 0.0, high = 0.0;
  for (const double c : detector->centre_column) {
    low = std::max(low, c);
    high = std::max(high, detector->columns - 1 - c);
  }
  const int missing = static_cast<int>(std::lround(std::fabs(high - low)));
  const int before = high > low ? missing : 0;
  detector->columns += missing;
  detector->begin += before;
  detector->end += before;
  for (std::size_t n = 0; n < detector->views.size(); ++n) {
    View& v = detector->views[n];
    v.detector_origin_mm = minus(v.detector_origin_mm, times(before, v.u_step_mm));
    detector->centre_column[n] += before;
    if (!detector->rectification.empty())  // column i was i - before
      for (int k = 0; k < 3; ++k)
        detector->rectification[n].m[3 * k + 2] -= static_cast<float>(before) * detector->rectification[n].m[3 * k];
  }
}

}  // namespace isocenter::detail
