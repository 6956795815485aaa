#include "phantom/thorax_motion.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

namespace {

Vector3 apply(const Matrix3& m, const Vector3& v) {
  return {m[0] * v[0] + m[1] * v[1] + m[2] * v[2], m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
          m[6] * v[0] + m[7] * v[1] + m[8] * v[2]};
}

Matrix3 inverse(const Matrix3& m) {
  Matrix3 r = {m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
               m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
               m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
  const double determinant = m[0] * r[0] + m[1] * r[3] + m[2] * r[6];
  for (double& x : r) x /= determinant;
  return r;
}

/// 1 up to `full`, 0 from `end` on.
double fading(double at, double full, double end) {
  const double s = std::clamp((at - end) / (full - end), 0.0, 1.0);
  return s * s * (3.0 - 2.0 * s);
}

double distance(const Vector3& a, const Vector3& b) { return detail::length(detail::minus(a, b)); }

Vector3 mixed(double part, const Vector3& a, const Vector3& b) {
  return detail::plus(detail::times(part, a), detail::times(1.0 - part, b));
}

}  // namespace

ThoraxMotion::ThoraxMotion(const ThoraxParams& params)
    : params_(params),
      anatomy_(Anatomy::of(params)),
      from_patient_(inverse(anatomy_.body)),
      lesion_mm_(apply(from_patient_, thorax_lesion_mm(params, 0.0))) {}

Vector3 ThoraxMotion::displacement_mm(const Vector3& at_exhalation_mm, double time_s) const {
  const Vector3 p = apply(from_patient_, at_exhalation_mm);
  const double dome = params_.diaphragm_mm * breathing(time_s, params_.breathing_period_s);
  const double inside = fading(cavity_level(p), 0.9, 1.0) * fading(std::fabs(p[0]), 45.0, 20.0);
  Vector3 d{0, 0, -dome * inside * std::clamp((120.0 - p[2]) / 200.0, 0.0, 1.0)};
  d = mixed(fading(distance(p, anatomy_.heart_mm), 45.0, 65.0), {0, 0, -0.3 * dome}, d);
  const Vector3 lesion = detail::minus(apply(from_patient_, thorax_lesion_mm(params_, time_s)), lesion_mm_);
  const double radius = anatomy_.lesion_radius_mm;
  d = mixed(fading(distance(p, lesion_mm_), radius + 4.0, radius + 16.0), lesion, d);
  return apply(anatomy_.body, d);
}

}  // namespace isocenter::detail
