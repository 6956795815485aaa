#pragma once
// The elementwise functions of networks in float64 and in int64, for every element type: what functions.hpp computes in
// float32, and what runs in no float32.
#include "infer/elements.hpp"
#include "infer/functions.hpp"

namespace isocenter::detail {

ISOCENTER_HD double between(double v, double low, double high) { return v < low ? low : (v > high ? high : v); }
ISOCENTER_HD double softplus(double v) { return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v)); }

ISOCENTER_HD_CALL double apply_unary_exactly(infer::Function f, double alpha, double beta, double a) {
  using F = infer::Function;
  switch (f) {
    case F::relu:
      return a < 0 ? 0 : a;
    case F::leaky_relu:
      return a < 0 ? alpha * a : a;
    case F::sigmoid:
      return 1 / (1 + exp(-a));
    case F::tanh:
      return tanh(a);
    case F::elu:
      return a < 0 ? alpha * expm1(a) : a;
    case F::clip:
      return a < alpha ? alpha : (a > beta ? beta : a);
    case F::selu:
      return beta * (a > 0 ? a : alpha * expm1(a));
    case F::celu:
      return a > 0 ? a : alpha * expm1(a / alpha);
    case F::softplus:
      return softplus(a);
    case F::softsign:
      return a / (1 + fabs(a));
    case F::hard_sigmoid:
      return between(alpha * a + beta, 0.0, 1.0);
    case F::hard_swish:
      return a * between(a / 6 + 0.5, 0.0, 1.0);
    case F::mish:
      return a * tanh(softplus(a));
    case F::gelu:
      return 0.5 * a * (1 + erf(a / sqrt(2.0)));
    case F::gelu_tanh:
      return 0.5 * a * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (a + 0.044715 * a * a * a)));
    case F::thresholded_relu:
      return a > alpha ? a : 0;
    case F::floor:
      return floor(a);
    case F::ceil:
      return ceil(a);
    case F::round:
      return nearbyint(a);
    case F::exp:
      return exp(a);
    case F::log:
      return log(a);
    case F::sqrt:
      return sqrt(a);
    case F::neg:
      return -a;
    case F::abs:
      return fabs(a);
    case F::reciprocal:
      return 1 / a;
    case F::erf:
      return erf(a);
    case F::sign:
      return a > 0 ? 1 : (a < 0 ? -1 : a);
    case F::sin:
      return sin(a);
    case F::cos:
      return cos(a);
    case F::tan:
      return tan(a);
    case F::sinh:
      return sinh(a);
    case F::cosh:
      return cosh(a);
    case F::asin:
      return asin(a);
    case F::acos:
      return acos(a);
    case F::atan:
      return atan(a);
    case F::asinh:
      return asinh(a);
    case F::acosh:
      return acosh(a);
    case F::atanh:
      return atanh(a);
    case F::shrink:
      return a > alpha ? a - beta : (a < -alpha ? a + beta : 0);
    case F::logical_not:
      return a == 0 ? 1 : 0;
    case F::is_nan:
      return a != a ? 1 : 0;
    case F::is_inf:
      return a == a && a - a != 0 && (a > 0 ? alpha : beta) != 0 ? 1 : 0;
    default:
      return a;
  }
}

/// The remainder with the divisor's sign.
ISOCENTER_HD_CALL double floored_mod(double a, double b) {
  const double r = fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

ISOCENTER_HD_CALL std::int64_t integer_pow(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : (base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0);
  std::uint64_t result = 1, factor = static_cast<std::uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, factor *= factor)
    if ((exponent & 1) != 0) result *= factor;
  return static_cast<std::int64_t>(result);
}

/// Sums and products wrap, as the element types do.
ISOCENTER_HD std::int64_t wrap(std::uint64_t v) { return static_cast<std::int64_t>(v); }

ISOCENTER_HD_CALL double apply_real(infer::Function f, double alpha, double beta, double a, double b, double c) {
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
      return pow(a, b);
    case F::min:
      return a != a || a < b ? a : b;
    case F::max:
      return a != a || a > b ? a : b;
    case F::mod:
      return floored_mod(a, b);
    case F::fmod:
      return fmod(a, b);
    case F::prelu:
      return a < 0 ? a * b : a;
    case F::equal:
      return a == b ? 1 : 0;
    case F::less:
      return a < b ? 1 : 0;
    case F::less_equal:
      return a <= b ? 1 : 0;
    case F::greater:
      return a > b ? 1 : 0;
    case F::greater_equal:
      return a >= b ? 1 : 0;
    case F::logical_and:
      return a != 0 && b != 0 ? 1 : 0;
    case F::logical_or:
      return a != 0 || b != 0 ? 1 : 0;
    case F::logical_xor:
      return (a != 0) != (b != 0) ? 1 : 0;
    case F::where:
      return a != 0 ? b : c;
    case F::affine:
      return a * b + c;
    default:
      return apply_unary_exactly(f, alpha, beta, a);
  }
}

ISOCENTER_HD_CALL std::int64_t apply_integer(infer::Function f, std::int64_t a, std::int64_t b, std::int64_t c) {
  using F = infer::Function;
  const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
  switch (f) {
    case F::identity:
    case F::floor:
    case F::ceil:
    case F::round:
      return a;
    case F::add:
      return wrap(ua + ub);
    case F::sub:
      return wrap(ua - ub);
    case F::mul:
      return wrap(ua * ub);
    case F::div:
      return b == 0 ? 0 : (b == -1 ? wrap(0 - ua) : a / b);
    case F::mod:
    case F::fmod: {
      if (b == 0 || b == -1) return 0;
      const std::int64_t r = a % b;
      return f == F::mod && r != 0 && (r < 0) != (b < 0) ? r + b : r;
    }
    case F::pow:
      return integer_pow(a, b);
    case F::min:
      return b < a ? b : a;
    case F::max:
      return a < b ? b : a;
    case F::neg:
      return wrap(0 - ua);
    case F::abs:
      return a < 0 ? wrap(0 - ua) : a;
    case F::sign:
      return a > 0 ? 1 : (a < 0 ? -1 : 0);
    case F::relu:
      return a < 0 ? 0 : a;
    case F::prelu:
      return a < 0 ? wrap(ua * ub) : a;
    case F::equal:
      return a == b;
    case F::less:
      return a < b;
    case F::less_equal:
      return a <= b;
    case F::greater:
      return a > b;
    case F::greater_equal:
      return a >= b;
    case F::logical_not:
      return a == 0;
    case F::logical_and:
      return a != 0 && b != 0;
    case F::logical_or:
      return a != 0 || b != 0;
    case F::logical_xor:
      return (a != 0) != (b != 0);
    case F::bit_not:
      return ~a;
    case F::bit_and:
      return a & b;
    case F::bit_or:
      return a | b;
    case F::bit_xor:
      return a ^ b;
    case F::shift_left:
      return ub < 64 ? wrap(ua << ub) : 0;
    case F::shift_right:
      return ub < 64 ? wrap(ua >> ub) : 0;
    case F::where:
      return a != 0 ? b : c;
    case F::affine:
      return wrap(ua * ub + static_cast<std::uint64_t>(c));
    default:
      return to_whole(apply_unary_exactly(f, 0, 0, static_cast<double>(a)), INT64_MIN, INT64_MAX);
  }
}

}  // namespace isocenter::detail
