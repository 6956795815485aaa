#pragma once
// Functions on lanes beyond lanes.hpp: exponential, logarithm, square root, and a question over all lanes. Built from
// additions, multiplications and the bits of a float, so that CPU and CUDA compute the same but for contraction.
//
// Polynomials: weighted least squares with Lawson's weights (relative error equalised over the interval), fitted for
// this file in double precision.
#include "core/lanes.hpp"

namespace isocenter::detail {

ISOCENTER_HD float from_bits(int i) {
  float v;
  memcpy(&v, &i, sizeof v);
  return v;
}
ISOCENTER_HD int to_bits(float v) {
  int i;
  memcpy(&i, &v, sizeof i);
  return i;
}
/// Whether the condition holds in any lane.
ISOCENTER_HD bool any(bool condition) { return condition; }

#if !defined(__CUDACC__)
ISOCENTER_HD float8 from_bits(int8 i) { return (float8)i; }
ISOCENTER_HD int8 to_bits(float8 v) { return (int8)v; }
ISOCENTER_HD bool any(int8 condition) {
  typedef long long long4 __attribute__((vector_size(32)));
  const long4 pairs = (long4)condition;
  return ((pairs[0] | pairs[1]) | (pairs[2] | pairs[3])) != 0;
}
#endif

/// e^-x for x >= 0, relative error below 2e-7; exactly 1 at 0; 0 or below 1e-37 from x = 87; NaN counts as large.
template <class Float>
ISOCENTER_HD Float exp_negative(Float x) {
  const Float y = min(x * 1.44269504F, Float{} + 126.0F);
  const auto whole = to_int(y);
  const Float f = y - to_float(whole);
  const Float p =
      1.0F + f * (-0.69314224F + f * (0.24017219F + f * (-0.05527972F + f * (0.00918861F + f * -0.00093878835F))));
  return p * from_bits((127 - whole) << 23);
}

/// log2(x) for normal x > 0, absolute error below 1e-6.
template <class Float>
ISOCENTER_HD Float log2_positive(Float x) {
  const auto bits = to_bits(x);
  const Float m = from_bits((bits & 0x007fffff) | 0x3f800000) - 1.0F;
  const Float q =
      1.4426948F +
      m * (-0.7213101F +
           m * (0.48006368F +
                m * (-0.35339475F + m * (0.2560095F + m * (-0.15535155F + m * (0.06360766F + m * -0.01231941F))))));
  return to_float((bits >> 23) - 127) + m * q;
}

/// x^a for x in (0, 1] and a > 0, relative error below 1e-6 (1 + a).
template <class Float>
ISOCENTER_HD Float pow_of_fraction(Float x, float a) {
  return exp_negative(max(log2_positive(x) * (-0.69314718F * a), Float{}));
}

/// 1/sqrt(x) for x > 0, relative error below 3e-7; a large finite number at 0. Newton's iteration from the halved
/// exponent.
template <class Float>
ISOCENTER_HD Float inverse_sqrt(Float x) {
  Float r = from_bits(0x5f3759df - (to_bits(x) >> 1));
  for (int i = 0; i < 3; ++i) r = r * (1.5F - 0.5F * x * r * r);
  return r;
}
/// sqrt(x) for x >= 0, relative error below 4e-7.
template <class Float>
ISOCENTER_HD Float square_root(Float x) {
  return x * inverse_sqrt(x);
}

}  // namespace isocenter::detail
