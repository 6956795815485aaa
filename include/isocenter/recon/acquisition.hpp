#pragma once
// How projections were taken: one View for each, of any trajectory, with a flat or a curved detector. A Projections
// payload carries them as attributes:
//   "acquisition.views"     14 numbers a view, in the order of View's members
//   "acquisition.beam"      "cone" (or none) or "parallel"
//   "acquisition.detector"  "flat" (or none) or "curved"
//   "acquisition.view_blocks"  into how many payloads a scan is cut (none: one)
// Builders of the usual scans: CircularOrbit below, the others in orbits.hpp. Projection matrices and IEC 61217 angles:
// projection_matrix.hpp, iec61217.hpp. A recon operator begins its plan with check_acquisition
// (src/recon/acquisition_check.hpp).
#include <cstddef>
#include <isocenter/payload.hpp>
#include <isocenter/recon/vector3.hpp>
#include <numbers>
#include <span>
#include <string>
#include <vector>

namespace isocenter::inline v1 {

enum class Beam { cone, parallel };

/// Curved: a cylinder around the line through the focal spot along v_step_mm, as in multi-slice CT, so that columns lie
/// at equal angles. u_step_mm is then the step along the arc, tangent to it at column 0; the cylinder's radius is the
/// distance of column 0 from that line.
enum class DetectorShape { flat, curved };

/// One view in the patient frame (LPS), mm. On a flat detector element (column i, row j) has its centre at
/// detector_origin_mm + i * u_step_mm + j * v_step_mm. With u_step × v_step towards the source (all builders) the
/// picture is right-handed for one who looks from the source: columns to the right, rows upwards.
struct View {
  Vector3 source_mm{};           ///< the focal spot; with a parallel beam the unit vector along which the rays travel
  Vector3 detector_origin_mm{};  ///< the centre of element (0, 0)
  Vector3 u_step_mm{};           ///< from one column to the next
  Vector3 v_step_mm{};           ///< from one row to the next
  double time_s = 0;
  double phase = -1;  ///< of the motion, in [0, 1); negative: not known

  /// The centre of an element of a flat detector.
  Vector3 element_mm(double i, double j) const {
    Vector3 p{};
    for (std::size_t k = 0; k < 3; ++k) p[k] = detector_origin_mm[k] + i * u_step_mm[k] + j * v_step_mm[k];
    return p;
  }
  /// The centre of an element of either detector.
  Vector3 element_mm(double i, double j, DetectorShape shape) const {
    if (shape == DetectorShape::flat) return element_mm(i, j);
    const Vector3 out = radius_to_column_0();
    const double radius = detail::length(out), step = detail::length(u_step_mm), angle = i * step / radius;
    const Vector3 turned = detail::plus(detail::times(std::cos(angle) - 1.0, out),
                                        detail::times(radius * std::sin(angle) / step, u_step_mm));
    return detail::plus(element_mm(0.0, j), turned);
  }
  /// Curved detector: from the cylinder's axis at right angles to column 0; its length is the cylinder's radius.
  Vector3 radius_to_column_0() const {
    const Vector3 d = detail::minus(detector_origin_mm, source_mm);
    return detail::minus(d, detail::times(detail::dot(d, v_step_mm) / detail::dot(v_step_mm, v_step_mm), v_step_mm));
  }
};
inline constexpr std::size_t numbers_per_view = 14;
static_assert(sizeof(View) == numbers_per_view * sizeof(double));

/// Where the ray through a point meets the detector, in elements, and how deep the point lies: with a cone beam 0 at
/// the source and 1 on the detector (negative: behind the source), with a parallel beam mm behind the detector's plane.
struct DetectorPoint {
  double column = 0, row = 0, depth = 0;
};

inline DetectorPoint detector_point(const View& view, Beam beam, DetectorShape shape, const Vector3& point_mm) {
  using detail::cross, detail::dot, detail::length, detail::minus;
  if (beam == Beam::cone && shape == DetectorShape::curved) {
    const Vector3 out = view.radius_to_column_0(), d = minus(point_mm, view.source_mm);
    const double radius = length(out), step = length(view.u_step_mm), vv = dot(view.v_step_mm, view.v_step_mm);
    const double along = dot(d, out) / radius, across = dot(d, view.u_step_mm) / step;
    const double depth = std::hypot(along, across) / radius;
    const double row_0 = dot(minus(view.detector_origin_mm, view.source_mm), view.v_step_mm);
    return {std::atan2(across, along) * radius / step, (dot(d, view.v_step_mm) / depth - row_0) / vv, depth};
  }
  // Cone: point - source = depth (column u + row v + (origin - source)). Parallel: point - origin = column u + row v +
  // depth ray. Both by Cramer's rule, so that columns and rows need not be at right angles.
  const bool cone = beam == Beam::cone;
  const Vector3 third = cone ? minus(view.detector_origin_mm, view.source_mm) : view.source_mm;
  const Vector3 d = minus(point_mm, cone ? view.source_mm : view.detector_origin_mm);
  const Vector3 normal = cross(view.u_step_mm, view.v_step_mm);
  const double volume = dot(normal, third), depth = dot(normal, d) / volume, scale = cone ? depth * volume : volume;
  return {dot(cross(view.v_step_mm, third), d) / scale, dot(cross(third, view.u_step_mm), d) / scale, depth};
}

inline void set_views(Payload& projections, std::span<const View> views, Beam beam = Beam::cone,
                      DetectorShape detector = DetectorShape::flat) {
  projections.set_numbers("acquisition.views",
                          {reinterpret_cast<const double*>(views.data()), views.size() * numbers_per_view});
  projections.set_text("acquisition.beam", beam == Beam::cone ? "cone" : "parallel");
  projections.set_text("acquisition.detector", detector == DetectorShape::flat ? "flat" : "curved");
}

/// Says that each payload holds a part of the scan: equally many views, the first ones in the first payload of
/// `blocks`. "acquisition.views" has those of the whole scan on all of them.
inline void set_view_blocks(Payload& projections, std::int64_t blocks) {
  const auto count = static_cast<double>(blocks);
  projections.set_numbers("acquisition.view_blocks", {&count, 1});
}
inline std::int64_t view_blocks_of(const Payload& projections) {
  const std::span<const double> n = projections.numbers("acquisition.view_blocks");
  return n.empty() || !(n[0] >= 1.0) ? 1 : static_cast<std::int64_t>(n[0]);
}

/// The views of a payload; empty when it has none. Valid as long as the payload's attribute.
inline std::span<const View> views_of(const Payload& projections) {
  const std::span<const double> n = projections.numbers("acquisition.views");
  return {reinterpret_cast<const View*>(n.data()), n.size() / numbers_per_view};
}

inline Beam beam_of(const Payload& projections) {
  return projections.text("acquisition.beam") == "parallel" ? Beam::parallel : Beam::cone;
}

inline DetectorShape detector_of(const Payload& projections) {
  return projections.text("acquisition.detector") == "curved" ? DetectorShape::curved : DetectorShape::flat;
}

/// A circular orbit around the patient's z axis through the isocentre. At gantry angle 0 the source is anterior of the
/// patient, at 90 degrees on the patient's left (IEC 61217 for a supine patient, head first). Detector columns step
/// along the direction in which the source moves, rows along +z. One row of it is a fan; with a parallel beam the steps
/// are those at the isocentre.
struct CircularOrbit {
  int views = 360;
  int columns = 256;
  int rows = 256;
  double source_to_isocenter_mm = 1000;
  double source_to_detector_mm = 1500;
  double column_step_mm = 2;  ///< along the arc on a curved detector
  double row_step_mm = 2;
  double first_angle_rad = 0;
  double arc_rad = 2 * std::numbers::pi;  ///< view n is at first_angle + n * arc / views
  double seconds = 60;                    ///< for the arc; view n is taken at n * seconds / views
  double detector_offset_u_mm = 0;        ///< of the detector's centre from the central ray, along the columns' steps
  double detector_offset_v_mm = 0;
  Beam beam = Beam::cone;
  DetectorShape detector = DetectorShape::flat;

  double angle_rad(int n) const { return first_angle_rad + n * arc_rad / views; }

  /// The view at an angle, its time not set.
  View view_at(double angle) const {
    const double c = std::cos(angle), s = std::sin(angle);
    const Vector3 to_source{s, -c, 0}, u{c, s, 0}, v{0, 0, 1};
    const double u0 = detector_offset_u_mm - 0.5 * (columns - 1) * column_step_mm;
    const double v0 = detector_offset_v_mm - 0.5 * (rows - 1) * row_step_mm;
    const bool curved = detector == DetectorShape::curved;
    // Column 0 lies at (across, beyond) from the central ray's end; there the columns step along (du, dn).
    const double fan = u0 / source_to_detector_mm;
    const double across = curved ? source_to_detector_mm * std::sin(fan) : u0;
    const double nearer = curved ? source_to_detector_mm * (1.0 - std::cos(fan)) : 0.0;
    const double du = curved ? std::cos(fan) : 1.0, dn = curved ? std::sin(fan) : 0.0;
    View view;
    for (std::size_t k = 0; k < 3; ++k) {
      view.source_mm[k] = beam == Beam::cone ? source_to_isocenter_mm * to_source[k] : -to_source[k];
      view.detector_origin_mm[k] =
          (source_to_isocenter_mm - source_to_detector_mm + nearer) * to_source[k] + across * u[k] + v0 * v[k];
      view.u_step_mm[k] = column_step_mm * (du * u[k] + dn * to_source[k]);
      view.v_step_mm[k] = row_step_mm * v[k];
    }
    return view;
  }

  std::vector<View> build() const {
    std::vector<View> list(static_cast<std::size_t>(views));
    for (int n = 0; n < views; ++n) {
      list[static_cast<std::size_t>(n)] = view_at(angle_rad(n));
      list[static_cast<std::size_t>(n)].time_s = n * seconds / views;
    }
    return list;
  }
};

}  // namespace isocenter::inline v1
