#pragma once
// The solids that phantoms are made of, and what is exact about them: which points they contain and where a ray is
// inside. All in double: a chord's error would otherwise show as rings in a reconstruction.
#include <cmath>
#include <cstdint>

namespace isocenter::detail {

enum class Solid : std::int32_t {
  ellipsoid,  ///< |p| <= 1 in its own frame
  cylinder    ///< p0² + p1² <= 1 and -1 <= p2 <= 1 in its own frame
};

/// An ellipsoid or elliptic cylinder, anywhere and turned anyhow, cut by two parallel planes.
struct Primitive {
  Solid solid = Solid::ellipsoid;
  std::int32_t label = 0;
  double value = 0;  ///< relative to water: 1 = water, 0 = vacuum; added or painted, see PhantomView
  double centre_mm[3] = {};
  double to_unit[9] = {};       ///< row-major; p = to_unit (x - centre): rows are the axes over their half lengths
  double half_axis_mm[9] = {};  ///< row-major; rows are the half axes as vectors
  double cut_normal[3] = {};    ///< unit vector; the part with cut_low <= normal · (x - centre) <= cut_high stays
  double cut_low_mm = -1e30;
  double cut_high_mm = 1e30;
};

// Not std::fmin: it must treat NaN, and so is a call.
inline double smaller(double a, double b) { return a < b ? a : b; }
inline double larger(double a, double b) { return a > b ? a : b; }

inline double dot3(const double* a, const double* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/// Where the ray origin + t * direction is inside a quadratic a t² + 2 b t + c <= 0 with a >= 0; false: nowhere.
inline bool inside_quadratic(double a, double b, double c, double* t0, double* t1) {
  if (a <= 0.0) return c <= 0.0;  // the ray runs along a cylinder's axis: all or nothing
  const double discriminant = b * b - a * c;
  if (discriminant <= 0.0) return false;
  const double root = std::sqrt(discriminant);
  const double q = b >= 0.0 ? -(b + root) : root - b;  // no cancellation, as in Numerical Recipes, section 5.6
  const double first = q / a, second = q != 0.0 ? c / q : 0.0;
  *t0 = larger(*t0, smaller(first, second));
  *t1 = smaller(*t1, larger(first, second));
  return *t0 < *t1;
}

/// Where the ray is between two planes: low <= p + t d <= high.
inline bool inside_slab(double p, double d, double low, double high, double* t0, double* t1) {
  if (d == 0.0) return p >= low && p <= high;
  const double first = (low - p) / d, second = (high - p) / d;
  *t0 = larger(*t0, smaller(first, second));
  *t1 = smaller(*t1, larger(first, second));
  return *t0 < *t1;
}

/// A ray's origin as a solid sees it: what all rays from one source share.
struct ChordStart {
  double p[3];  ///< in the solid's frame
  double cut;   ///< normal · (origin - centre)
};
inline ChordStart chord_start(const Primitive& s, const double* origin) {
  const double x[3] = {origin[0] - s.centre_mm[0], origin[1] - s.centre_mm[1], origin[2] - s.centre_mm[2]};
  return {{dot3(s.to_unit, x), dot3(s.to_unit + 3, x), dot3(s.to_unit + 6, x)}, dot3(s.cut_normal, x)};
}

/// Narrows [*t0, *t1] to the part of the ray origin + t * direction that is inside. The solid is convex: one interval.
inline bool chord(const Primitive& s, const ChordStart& start, const double* direction, double* t0, double* t1) {
  const double* p = start.p;
  const double d[3] = {dot3(s.to_unit, direction), dot3(s.to_unit + 3, direction), dot3(s.to_unit + 6, direction)};
  if (s.solid == Solid::ellipsoid) {
    if (!inside_quadratic(dot3(d, d), dot3(p, d), dot3(p, p) - 1.0, t0, t1)) return false;
  } else {
    if (!inside_quadratic(d[0] * d[0] + d[1] * d[1], p[0] * d[0] + p[1] * d[1], p[0] * p[0] + p[1] * p[1] - 1.0, t0,
                          t1) ||
        !inside_slab(p[2], d[2], -1.0, 1.0, t0, t1))
      return false;
  }
  if (s.cut_low_mm <= -1e30 && s.cut_high_mm >= 1e30) return true;
  return inside_slab(start.cut, dot3(s.cut_normal, direction), s.cut_low_mm, s.cut_high_mm, t0, t1);
}

inline bool contains(const Primitive& s, const double* point) {
  const double x[3] = {point[0] - s.centre_mm[0], point[1] - s.centre_mm[1], point[2] - s.centre_mm[2]};
  const double p[3] = {dot3(s.to_unit, x), dot3(s.to_unit + 3, x), dot3(s.to_unit + 6, x)};
  const double cut = dot3(s.cut_normal, x);
  const bool in =
      s.solid == Solid::ellipsoid ? dot3(p, p) <= 1.0 : p[0] * p[0] + p[1] * p[1] <= 1.0 && p[2] >= -1.0 && p[2] <= 1.0;
  return in && cut >= s.cut_low_mm && cut <= s.cut_high_mm;
}

/// Half the width of the uncut solid along a direction: its points have |direction · (x - centre)| <= this.
inline double half_width(const Primitive& s, const double* direction) {
  const double a = dot3(s.half_axis_mm, direction), b = dot3(s.half_axis_mm + 3, direction),
               c = dot3(s.half_axis_mm + 6, direction);
  return s.solid == Solid::ellipsoid ? std::sqrt(a * a + b * b + c * c) : std::sqrt(a * a + b * b) + std::fabs(c);
}

}  // namespace isocenter::detail
