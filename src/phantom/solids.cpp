// How solids are placed: axes, turns and cuts become the numbers that the kernels use.
#include <algorithm>
#include <cmath>

#include "phantom/chosen_phantom.hpp"

namespace isocenter::detail {

namespace {
std::size_t at(int row, int column) { return static_cast<std::size_t>(3 * row + column); }
}  // namespace

Matrix3 turn_around(int axis, double angle_rad) {
  const int a = (axis + 1) % 3, b = (axis + 2) % 3;
  Matrix3 m{};
  m[at(axis, axis)] = 1.0;
  m[at(a, a)] = m[at(b, b)] = std::cos(angle_rad);
  m[at(b, a)] = std::sin(angle_rad);
  m[at(a, b)] = -std::sin(angle_rad);
  return m;
}

Matrix3 operator*(const Matrix3& a, const Matrix3& b) {
  Matrix3 m{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) m[at(i, j)] += a[at(i, k)] * b[at(k, j)];
  return m;
}

Matrix3 turn_z_to(const Vector3& direction) {
  const Vector3 z = unit(direction);
  const Vector3 x = unit(cross(std::fabs(z[1]) < 0.9 ? Vector3{0, 1, 0} : Vector3{1, 0, 0}, z));
  const Vector3 y = cross(z, x);
  return {x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]};
}

Primitive make_solid(Solid solid, const Vector3& centre_mm, const Vector3& half_axes_mm, const Matrix3& turn,
                     double value, Label label) {
  Primitive p;
  p.solid = solid;
  p.label = label;
  p.value = value;
  for (int k = 0; k < 3; ++k) {
    const double half = half_axes_mm[static_cast<std::size_t>(k)];
    p.centre_mm[k] = centre_mm[static_cast<std::size_t>(k)];
    for (int j = 0; j < 3; ++j) {
      p.half_axis_mm[3 * k + j] = turn[at(j, k)] * half;
      p.to_unit[3 * k + j] = turn[at(j, k)] / half;
    }
  }
  return p;
}

Primitive make_rod(const Vector3& from_mm, const Vector3& to_mm, double radius_mm, double value, Label label) {
  Vector3 centre{}, along{};
  for (std::size_t k = 0; k < 3; ++k) {
    centre[k] = 0.5 * (from_mm[k] + to_mm[k]);
    along[k] = to_mm[k] - from_mm[k];
  }
  return make_solid(Solid::cylinder, centre, {radius_mm, radius_mm, 0.5 * length(along)}, turn_z_to(along), value,
                    label);
}

Primitive cut(Primitive solid, const Vector3& normal, double low_mm, double high_mm) {
  const Vector3 n = unit(normal);
  for (std::size_t k = 0; k < 3; ++k) solid.cut_normal[k] = n[k];
  solid.cut_low_mm = low_mm;
  solid.cut_high_mm = high_mm;
  return solid;
}

double reach_from_axis_mm(const Solids& solids) {
  double reach = 0.0;
  for (const Primitive& s : solids.list) {
    const double half[3] = {std::hypot(s.half_axis_mm[0], s.half_axis_mm[1]),
                            std::hypot(s.half_axis_mm[3], s.half_axis_mm[4]),
                            std::hypot(s.half_axis_mm[6], s.half_axis_mm[7])};
    const double r = s.solid == Solid::ellipsoid ? std::sqrt(dot3(half, half)) : std::hypot(half[0], half[1]) + half[2];
    reach = std::max(reach, std::hypot(s.centre_mm[0], s.centre_mm[1]) + r);
  }
  return reach;
}

}  // namespace isocenter::detail
