#pragma once
// The elementwise functions of networks, written once for a CUDA thread, a CPU register and a row's tail.
//
// exp, sigmoid, tanh, elu and erf are polynomials, so that CPU and CUDA agree to rounding: error below 3 ulp over the
// whole range. Coefficients of exp and tanh: S. Moshier, Cephes Math Library 2.2, expf and tanhf; of erf: the smallest
// largest error of a fit to float64. The rarer functions go through the C library lane by lane.
#include <cmath>
#include <cstdint>

#include "core/lanes.hpp"

namespace isocenter::infer {

enum class Function : std::int32_t {
  identity,
  // one input
  relu,
  leaky_relu,
  sigmoid,
  tanh,
  elu,
  clip,
  selu,
  celu,
  softplus,
  softsign,
  hard_sigmoid,
  hard_swish,
  mish,
  gelu,
  gelu_tanh,
  thresholded_relu,
  floor,
  ceil,
  round,
  exp,
  log,
  sqrt,
  neg,
  abs,
  reciprocal,
  erf,
  sign,
  sin,
  cos,
  tan,
  sinh,
  cosh,
  asin,
  acos,
  atan,
  asinh,
  acosh,
  atanh,
  shrink,  ///< 0 within [-alpha, alpha], beta nearer to 0 outside
  logical_not,
  is_nan,
  is_inf,
  bit_not,
  // two
  add,
  sub,
  mul,
  div,
  pow,
  min,
  max,
  mod,
  fmod,
  prelu,
  equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or,
  logical_xor,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,
  // three
  where,
  affine
};

/// How many inputs a function takes.
inline constexpr int arity_of(Function f) { return f < Function::add ? 1 : (f < Function::where ? 2 : 3); }

}  // namespace isocenter::infer

namespace isocenter::detail {

ISOCENTER_HD float bits_to_float(int bits) {
  float r;
  memcpy(&r, &bits, sizeof r);
  return r;
}
template <class F>
ISOCENTER_HD float each_lane(float a, F f) {
  return f(a);
}
template <class F>
ISOCENTER_HD float each_lane(float a, float b, F f) {
  return f(a, b);
}
#if !defined(__CUDACC__)
ISOCENTER_HD float8 bits_to_float(int8 bits) {
  float8 r;
  std::memcpy(&r, &bits, sizeof r);
  return r;
}
template <class F>
ISOCENTER_HD float8 each_lane(float8 a, F f) {
  for (int k = 0; k < 8; ++k) a[k] = f(a[k]);
  return a;
}
template <class F>
ISOCENTER_HD float8 each_lane(float8 a, float8 b, F f) {
  for (int k = 0; k < 8; ++k) a[k] = f(a[k], b[k]);
  return a;
}
#endif

/// e^x; 0 below -87.3 (no denormals), infinity above 88.72.
template <class Float>
ISOCENTER_HD Float exp_of(Float x) {
  const Float t = min(max(x, Float{} - 87.3F), Float{} + 88.72F);
  const auto n = floor_to_int(t * 1.44269504F + 0.5F);
  const Float nf = to_float(n);
  const Float r = t - nf * 0.693359375F + nf * 2.12194440e-4F;
  Float p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Float y = p * r * r + r + 1.0F;
  const auto half = n >> 1;  // 2^n in two factors: n may be 128
  Float scaled = y * bits_to_float((half + 127) << 23) * bits_to_float((n - half + 127) << 23);
  scaled = select(x < -87.3F, Float{}, scaled);
  scaled = select(x > 88.72F, Float{} + INFINITY, scaled);
  return select(x == x, scaled, x);
}

template <class Float>
ISOCENTER_HD Float tanh_of(Float x) {
  const Float a = max(x, -x);
  const Float z = x * x;
  Float p = z * -5.70498872745e-3F + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const Float near_zero = p * z * x + x;
  const Float far = 1.0F - 2.0F / (exp_of(a + a) + 1.0F);
  return select(a < 0.625F, near_zero, select(x < 0.0F, -far, far));
}

template <class Float>
ISOCENTER_HD Float sigmoid_of(Float x) {
  const Float e = exp_of(-max(x, -x));
  const Float upper = 1.0F / (1.0F + e);
  return select(x < 0.0F, e * upper, upper);
}

/// Below 1 x times a polynomial of x^2, from there 1 - e^-p(|x|) up to 4, behind which it is 1.
template <class Float>
ISOCENTER_HD Float erf_of(Float x) {
  const Float a = max(x, -x), s = x * x, t = min(a, Float{} + 4.0F);
  Float p = s * 7.889119534e-5F - 8.020841281e-4F;
  p = p * s + 5.189535339e-3F;
  p = p * s - 2.685444459e-2F;
  p = p * s + 1.128360018e-1F;
  p = p * s - 3.761262714e-1F;
  p = p * s + 1.128379166F;
  Float q = t * -2.120859373e-7F + 2.475423930e-5F;
  q = q * t - 4.603578521e-4F;
  q = q * t + 4.270636293e-3F;
  q = q * t - 2.534892527e-2F;
  q = q * t + 1.086065987e-1F;
  q = q * t + 6.330657355e-1F;
  q = q * t + 1.129649346F;
  q = q * t - 2.020654506e-4F;
  const Float far = 1.0F - exp_of(-q);
  const Float r = select(a < 1.0F, p * x, select(x < 0.0F, -far, far));
  return select(x == x, r, x);
}

ISOCENTER_HD float softplus_scalar(float v) { return v > 0.0F ? v + log1pf(expf(-v)) : log1pf(expf(v)); }

/// One input. Formulas: ONNX operator documentation, each under its own name.
template <class Float>
ISOCENTER_HD Float apply_unary(infer::Function f, float alpha, float beta, Float a) {
  using F = infer::Function;
  const Float zero{}, one = zero + 1.0F;
  switch (f) {
    case F::relu:
      return select(a < 0.0F, zero, a);
    case F::leaky_relu:
      return select(a < 0.0F, a * alpha, a);
    case F::sigmoid:
      return sigmoid_of(a);
    case F::tanh:
      return tanh_of(a);
    case F::elu:
      return select(a < 0.0F, alpha * (exp_of(a) - 1.0F), a);
    case F::clip:
      return select(a < alpha, Float{} + alpha, select(a > beta, Float{} + beta, a));
    case F::selu:
      return select(a > 0.0F, a * beta, (alpha * exp_of(a) - alpha) * beta);
    case F::celu:
      return select(a > 0.0F, a, alpha * (exp_of(a / alpha) - 1.0F));
    case F::softplus:
      return each_lane(a, [](float v) { return softplus_scalar(v); });
    case F::softsign:
      return a / (1.0F + max(a, -a));
    case F::hard_sigmoid:
      return max(zero, min(one, a * alpha + beta));
    case F::hard_swish:
      return a * max(zero, min(one, a / 6.0F + 0.5F));
    case F::mish:
      return a * tanh_of(each_lane(a, [](float v) { return softplus_scalar(v); }));
    case F::gelu:
      return 0.5F * a * (1.0F + erf_of(a * 0.70710678F));
    case F::gelu_tanh:
      return 0.5F * a * (1.0F + tanh_of(0.79788456F * (a + 0.044715F * a * a * a)));
    case F::thresholded_relu:
      return select(a > alpha, a, zero);
    case F::floor:
      return each_lane(a, [](float v) { return floorf(v); });
    case F::ceil:
      return each_lane(a, [](float v) { return ceilf(v); });
    case F::round:
      return each_lane(a, [](float v) { return rintf(v); });
    case F::exp:
      return exp_of(a);
    case F::log:
      return each_lane(a, [](float v) { return logf(v); });
    case F::sqrt:
      return each_lane(a, [](float v) { return sqrtf(v); });
    case F::neg:
      return -a;
    case F::abs:
      return each_lane(a, [](float v) { return fabsf(v); });
    case F::reciprocal:
      return 1.0F / a;
    case F::erf:
      return erf_of(a);
    case F::sign:
      return each_lane(a, [](float v) { return v > 0.0F ? 1.0F : (v < 0.0F ? -1.0F : v); });
    case F::sin:
      return each_lane(a, [](float v) { return sinf(v); });
    case F::cos:
      return each_lane(a, [](float v) { return cosf(v); });
    case F::tan:
      return each_lane(a, [](float v) { return tanf(v); });
    case F::sinh:
      return each_lane(a, [](float v) { return sinhf(v); });
    case F::cosh:
      return each_lane(a, [](float v) { return coshf(v); });
    case F::asin:
      return each_lane(a, [](float v) { return asinf(v); });
    case F::acos:
      return each_lane(a, [](float v) { return acosf(v); });
    case F::atan:
      return each_lane(a, [](float v) { return atanf(v); });
    case F::asinh:
      return each_lane(a, [](float v) { return asinhf(v); });
    case F::acosh:
      return each_lane(a, [](float v) { return acoshf(v); });
    case F::atanh:
      return each_lane(a, [](float v) { return atanhf(v); });
    case F::shrink:
      return select(a > alpha, a - beta, select(a < -alpha, a + beta, zero));
    default:
      return a;
  }
}

/// Two inputs.
template <class Float>
ISOCENTER_HD Float apply_binary(infer::Function f, Float a, Float b) {
  using F = infer::Function;
  switch (f) {
    case F::add:
      return a + b;
    case F::sub:
      return a - b;
    case F::mul:
      return a * b;
    case F::div:
      return a / b;
    case F::pow:
      return each_lane(a, b, [](float v, float w) { return powf(v, w); });
    case F::min:
      return select(a == a, min(b, a), a);
    case F::max:
      return select(a == a, max(b, a), a);
    case F::fmod:
      return each_lane(a, b, [](float v, float w) { return fmodf(v, w); });
    case F::prelu:
      return select(a < 0.0F, a * b, a);
    default:
      return a;
  }
}

/// What runs fast in float32; the rest (comparisons, logic, where) gives or takes other element types.
inline constexpr bool is_float_function(infer::Function f) {
  using F = infer::Function;
  return f == F::affine || (f < F::logical_not) || (f >= F::add && f <= F::max) || f == F::fmod || f == F::prelu;
}

}  // namespace isocenter::detail
