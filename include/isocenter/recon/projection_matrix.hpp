#pragma once
// Views from calibrated 3x4 projection matrices, and back.
//
// A matrix P (row-major) takes a point (x, y, z) of the patient frame (LPS, mm) to detector elements:
//   (a, b, w) = P (x, y, z, 1),   column = a / w,   row = b / w,
// element (0, 0) being the centre of the first one. P stands for the same projection whatever it is multiplied with.
// Only a flat detector has one. Method: Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2nd edition
// (2004), sections 6.1 and 6.2: P = M [I | -source], and the columns of M⁻¹ are the steps of the detector and the way
// from the source to element (0, 0), up to one factor; columns and rows need not be at right angles or equally wide.
#include <array>
#include <isocenter/error.hpp>
#include <isocenter/recon/acquisition.hpp>

namespace isocenter::inline v1 {

using ProjectionMatrix = std::array<double, 12>;

}  // namespace isocenter::inline v1

namespace isocenter::detail {

inline Vector3 first_three(const ProjectionMatrix& p, std::size_t row) {
  return {p[4 * row], p[4 * row + 1], p[4 * row + 2]};
}
inline Vector3 last_column(const ProjectionMatrix& p) { return {p[3], p[7], p[11]}; }

}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// The matrix of a view with a flat detector. Normalised: with a cone beam the third row begins with a unit vector, so
/// that w is a point's depth in mm from the source along the detector's normal, positive in front (Hartley and
/// Zisserman, equation 6.15); with a parallel beam the third row is (0, 0, 0, 1).
inline ProjectionMatrix projection_matrix_of(const View& view, Beam beam) {
  using detail::cross, detail::dot, detail::length, detail::minus, detail::times;
  const bool cone = beam == Beam::cone;
  const Vector3 third = cone ? minus(view.detector_origin_mm, view.source_mm) : view.source_mm;
  const Vector3 normal = cross(view.u_step_mm, view.v_step_mm);
  const double volume = dot(normal, third), scale = cone ? std::fabs(volume) / length(normal) : 1.0;
  const Vector3 from = cone ? view.source_mm : view.detector_origin_mm;
  const Vector3 rows[3] = {times(scale / volume, cross(view.v_step_mm, third)),
                           times(scale / volume, cross(third, view.u_step_mm)),
                           cone ? times(scale / volume, normal) : Vector3{}};
  ProjectionMatrix p{};
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t k = 0; k < 3; ++k) p[4 * r + k] = rows[r][k];
    p[4 * r + 3] = -dot(rows[r], from);
  }
  if (!cone) p[11] = 1.0;
  return p;
}

/// A matrix of a parallel beam: its third row is (0, 0, 0, w), to 1e-12 of what a focal spot 1 m away gives.
inline bool is_parallel(const ProjectionMatrix& p) {
  return detail::length(detail::first_three(p, 2)) <= 1e-15 * std::fabs(p[11]);
}

/// The view of a matrix. What a matrix of a cone beam does not hold is how far the detector is: that follows from
/// column_step_mm, the distance between its columns (above 0); the rows' distance then follows from the matrix. The
/// object's side of the source is that of `in_front_mm`, by default the isocentre. With a parallel beam the detector's
/// plane passes through the patient frame's origin, and the rays go so that the picture is right-handed seen against
/// them. Throws Failure (bad_data) when the matrix has no inverse, a number is not finite, or in_front_mm lies beside
/// the source.
inline View view_of_matrix(const ProjectionMatrix& p, double column_step_mm, const Vector3& in_front_mm = {}) {
  using detail::cross, detail::dot, detail::length, detail::minus, detail::plus, detail::times, detail::unit;
  const auto refuse = [](const char* what) {
    throw Failure(ErrorCode::bad_data, what,
                  "give the matrix that takes (x, y, z, 1) in mm to (column * w, row * w, w), row after row");
  };
  for (const double x : p)
    if (!std::isfinite(x)) refuse("the projection matrix holds a number that is not finite");
  if (!(column_step_mm > 0.0)) refuse("the distance between detector columns is not above 0");
  View view;
  if (is_parallel(p)) {
    if (p[11] == 0.0) refuse("the third row of the projection matrix is 0");
    const Vector3 a = times(1.0 / p[11], detail::first_three(p, 0)), b = times(1.0 / p[11], detail::first_three(p, 1));
    const Vector3 normal = cross(a, b);
    if (!(length(normal) > 1e-9 * length(a) * length(b))) refuse("the projection matrix has no inverse");
    const Vector3 ray = times(-1.0, unit(normal));
    view.source_mm = ray;
    view.u_step_mm = times(1.0 / dot(a, cross(b, ray)), cross(b, ray));
    view.v_step_mm = times(1.0 / dot(b, cross(ray, a)), cross(ray, a));
    view.detector_origin_mm = plus(times(-p[3] / p[11], view.u_step_mm), times(-p[7] / p[11], view.v_step_mm));
    return view;
  }
  const Vector3 m0 = detail::first_three(p, 0), m1 = detail::first_three(p, 1), m2 = detail::first_three(p, 2);
  const double determinant = dot(m0, cross(m1, m2));
  if (!(std::fabs(determinant) > 1e-9 * length(m0) * length(m1) * length(m2)))
    refuse("the projection matrix has no inverse");
  const Vector3 inverse[3] = {times(1.0 / determinant, cross(m1, m2)), times(1.0 / determinant, cross(m2, m0)),
                              times(1.0 / determinant, cross(m0, m1))};
  const Vector3 q = detail::last_column(p);
  for (std::size_t c = 0; c < 3; ++c) view.source_mm = minus(view.source_mm, times(q[c], inverse[c]));
  const double depth = dot(m2, minus(in_front_mm, view.source_mm));
  if (!(std::fabs(depth) > 1e-9 * length(m2))) refuse("the projection matrix has its source beside the isocentre");
  const double factor = std::copysign(column_step_mm / length(inverse[0]), depth);
  view.u_step_mm = times(factor, inverse[0]);
  view.v_step_mm = times(factor, inverse[1]);
  view.detector_origin_mm = plus(view.source_mm, times(factor, inverse[2]));
  return view;
}

}  // namespace isocenter::inline v1
