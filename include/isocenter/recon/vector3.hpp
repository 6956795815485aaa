#pragma once
// Positions and directions in the patient frame (LPS), mm.
#include <array>
#include <cmath>

namespace isocenter::inline v1 {

using Vector3 = std::array<double, 3>;

}  // namespace isocenter::inline v1

namespace isocenter::detail {

inline double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline double length(const Vector3& a) { return std::sqrt(dot(a, a)); }
inline Vector3 minus(const Vector3& a, const Vector3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
inline Vector3 plus(const Vector3& a, const Vector3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
inline Vector3 times(double s, const Vector3& a) { return {s * a[0], s * a[1], s * a[2]}; }
inline Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
inline Vector3 unit(const Vector3& a) { return times(1.0 / length(a), a); }

}  // namespace isocenter::detail
