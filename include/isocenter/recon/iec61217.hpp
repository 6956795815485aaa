#pragma once
// Views from gantry angles as IEC 61217 and RTK name them, and back.
//
// The fixed system of IEC 61217 has its origin at the isocentre, Z upwards, Y from the isocentre to the gantry, X to
// the right for one who faces the gantry. For a patient who lies supine with the head to the gantry, couch at 0:
//   x = X,  y = -Z,  z = Y   in the patient frame (LPS).
// RTK's fixed system is the same (RTK documentation, "3D projection geometry"); with all angles 0 its detector has its
// columns' steps along X, its rows' along Y, and the source above. Nine numbers place any flat detector with columns
// and rows at right angles: Rit et al., Journal of Physics: Conference Series 489 (2014) 012079; RTK's
// ThreeDCircularProjectionGeometry.
#include <isocenter/error.hpp>
#include <isocenter/recon/acquisition.hpp>

namespace isocenter::inline v1 {

inline Vector3 lps_of_iec61217(const Vector3& p) { return {p[0], -p[2], p[1]}; }
inline Vector3 iec61217_of_lps(const Vector3& p) { return {p[0], p[2], -p[1]}; }

/// One view. Rotated coordinates are fixed ones turned by gantry_angle about Y, then out_of_plane_angle about the new
/// X, then in_plane_angle about the new Z; the detector lies parallel to their X and Y. gantry_angle and in_plane_angle
/// are IEC 61217's rotations of gantry and image receptor, out_of_plane_angle is RTK's.
struct GantryPosition {
  double gantry_angle_rad = 0, out_of_plane_angle_rad = 0, in_plane_angle_rad = 0;
  double source_to_isocenter_mm = 0;                          ///< the source's rotated Z
  double source_to_detector_mm = 0;                           ///< along rotated Z; 0 with a parallel beam
  double source_offset_x_mm = 0, source_offset_y_mm = 0;      ///< the source's rotated X and Y
  double detector_offset_x_mm = 0, detector_offset_y_mm = 0;  ///< rotated X and Y of the detector's coordinates (0, 0)
};

/// Where the elements lie in the detector's coordinates: element (i, j) at (first_u + i step_u, first_v + j step_v), as
/// origin and spacing of a projection stack give it. On a curved detector u is the length along the arc.
struct DetectorSampling {
  double first_u_mm = 0, first_v_mm = 0, step_u_mm = 1, step_v_mm = 1;
};

}  // namespace isocenter::inline v1

namespace isocenter::detail {

/// The rotated axes in the patient frame.
struct RotatedAxes {
  Vector3 x{}, y{}, z{};
  Vector3 point(double a, double b, double c) const { return plus(plus(times(a, x), times(b, y)), times(c, z)); }
};

inline RotatedAxes rotated_axes(const GantryPosition& g) {
  const double cg = std::cos(g.gantry_angle_rad), sg = std::sin(g.gantry_angle_rad);
  const double co = std::cos(g.out_of_plane_angle_rad), so = std::sin(g.out_of_plane_angle_rad);
  const double ci = std::cos(g.in_plane_angle_rad), si = std::sin(g.in_plane_angle_rad);
  const Vector3 x{cg, 0, -sg}, y{so * sg, co, so * cg};  // turned by the gantry and out of plane, not yet in plane
  return {lps_of_iec61217(plus(times(ci, x), times(si, y))), lps_of_iec61217(plus(times(-si, x), times(ci, y))),
          lps_of_iec61217({co * sg, -so, co * cg})};
}

/// The angles that give axes at right angles, in IEC 61217's fixed system.
inline void set_angles(const RotatedAxes& lps, GantryPosition* g) {
  const Vector3 x = iec61217_of_lps(lps.x), y = iec61217_of_lps(lps.y), z = iec61217_of_lps(lps.z);
  const double across = std::hypot(z[0], z[2]);
  g->out_of_plane_angle_rad = std::atan2(-z[1], across);
  if (across > 1e-9) {
    g->gantry_angle_rad = std::atan2(z[0], z[2]);
    g->in_plane_angle_rad = std::atan2(x[1], y[1]);
  } else {  // The detector faces along the gantry's axis: both angles turn about it, and one is enough.
    g->gantry_angle_rad = std::atan2(-x[2], x[0]);
    g->in_plane_angle_rad = 0.0;
  }
}

[[noreturn]] inline void refuse_gantry(const char* what, const char* fix) {
  throw Failure(ErrorCode::unsupported, what, fix);
}

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// The view of a gantry position. Curved: the cylinder's radius is source_to_detector_mm around the source, and angle 0
/// of its arc lies on the rotated Z axis; throws Failure (unsupported) when source_offset_x_mm is not 0.
inline View view_of_gantry(const GantryPosition& g, Beam beam, DetectorShape shape, const DetectorSampling& s) {
  using detail::plus, detail::times;
  const detail::RotatedAxes axes = detail::rotated_axes(g);
  const double u = g.detector_offset_x_mm + s.first_u_mm, v = g.detector_offset_y_mm + s.first_v_mm;
  View view;
  view.v_step_mm = times(s.step_v_mm, axes.y);
  view.source_mm = axes.point(g.source_offset_x_mm, g.source_offset_y_mm, g.source_to_isocenter_mm);
  if (beam == Beam::parallel) {
    view.source_mm = times(-1.0, axes.z);
    view.detector_origin_mm = axes.point(u, v, -g.source_to_isocenter_mm);
    view.u_step_mm = times(s.step_u_mm, axes.x);
  } else if (shape == DetectorShape::flat) {
    view.detector_origin_mm = axes.point(u, v, g.source_to_isocenter_mm - g.source_to_detector_mm);
    view.u_step_mm = times(s.step_u_mm, axes.x);
  } else {
    if (g.source_offset_x_mm != 0.0)
      detail::refuse_gantry(
          "a curved detector has its source beside the axis of its cylinder (source offset x is not 0)",
          "resample the projections onto a cylinder around the focal spot");
    const double radius = g.source_to_detector_mm, c = std::cos(u / radius), sine = std::sin(u / radius);
    view.detector_origin_mm = axes.point(radius * sine, v, g.source_to_isocenter_mm - radius * c);
    view.u_step_mm = times(s.step_u_mm, plus(times(c, axes.x), times(sine, axes.z)));
  }
  return view;
}

/// The gantry position of a view whose detector's coordinates begin with (first_u_mm, first_v_mm) at element (0, 0).
/// A mirrored detector gives negative distances, as RTK has it. With a parallel beam source_to_isocenter_mm is the
/// detector's distance behind the isocentre, or 1000 mm where that is not above 0 (where the detector stands along its
/// rays changes nothing). Throws Failure (unsupported) when columns and rows are not at right angles to 1e-6, when
/// parallel rays do not meet the detector at right angles, and for a mirrored curved detector.
inline GantryPosition gantry_of_view(const View& view, Beam beam, DetectorShape shape, double first_u_mm,
                                     double first_v_mm) {
  using detail::cross, detail::dot, detail::length, detail::minus, detail::times, detail::unit;
  const Vector3 along_u = unit(view.u_step_mm), along_v = unit(view.v_step_mm);
  if (std::fabs(dot(along_u, along_v)) > 1e-6)
    detail::refuse_gantry("the detector's columns and rows are not at right angles, which gantry angles cannot say",
                          "write projection matrices, or resample the projections");
  GantryPosition g;
  if (beam == Beam::cone && shape == DetectorShape::curved) {
    const Vector3 out = view.radius_to_column_0();
    const double radius = length(out), height = dot(view.source_mm, along_v);
    // Zero of the arc is where the line from the source to the axis through the isocentre goes on.
    Vector3 z = minus(view.source_mm, times(height, along_v));
    z = length(z) > 1e-9 * radius ? unit(z) : times(-1.0 / radius, out);
    const detail::RotatedAxes axes{cross(along_v, z), along_v, z};
    const double angle = std::atan2(dot(out, axes.x), -dot(out, axes.z));
    const Vector3 tangent = axes.point(std::cos(angle), 0.0, std::sin(angle));
    if (length(minus(tangent, along_u)) > 1e-6)
      detail::refuse_gantry("the curved detector is mirrored, or its columns do not step along its arc",
                            "reverse the columns or the rows of the projections");
    detail::set_angles(axes, &g);
    g.source_to_isocenter_mm = dot(view.source_mm, z);
    g.source_to_detector_mm = radius;
    g.source_offset_y_mm = height;
    g.detector_offset_x_mm = radius * angle - first_u_mm;
    g.detector_offset_y_mm = dot(view.detector_origin_mm, along_v) - first_v_mm;
    return g;
  }
  // Exactly at right angles, so that the angles are those of a rotation.
  const Vector3 z = unit(cross(along_u, along_v));
  const detail::RotatedAxes axes{along_u, cross(z, along_u), z};
  detail::set_angles(axes, &g);
  g.detector_offset_x_mm = dot(view.detector_origin_mm, axes.x) - first_u_mm;
  g.detector_offset_y_mm = dot(view.detector_origin_mm, axes.y) - first_v_mm;
  const double detector_z = dot(view.detector_origin_mm, axes.z);
  if (beam == Beam::parallel) {
    if (length(cross(view.source_mm, axes.z)) > 1e-6)
      detail::refuse_gantry(
          "the parallel rays do not meet the detector at right angles, which gantry angles cannot say",
          "write projection matrices, or resample the projections");
    g.source_to_isocenter_mm = detector_z < 0.0 ? -detector_z : 1000.0;
    return g;
  }
  g.source_to_isocenter_mm = dot(view.source_mm, axes.z);
  g.source_to_detector_mm = g.source_to_isocenter_mm - detector_z;
  g.source_offset_x_mm = dot(view.source_mm, axes.x);
  g.source_offset_y_mm = dot(view.source_mm, axes.y);
  return g;
}

}  // namespace isocenter::inline v1
