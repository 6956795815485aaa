#include <algorithm>
#include <cmath>

#include "infer/reference.hpp"

namespace isocenter::infer {
namespace {

double unary(Function f, double alpha, double beta, double a) {
  using F = Function;
  const auto softplus = [](double v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); };
  switch (f) {
    case F::relu:
      return a < 0 ? 0 : a;
    case F::leaky_relu:
      return a < 0 ? alpha * a : a;
    case F::sigmoid:
      return 1 / (1 + std::exp(-a));
    case F::tanh:
      return std::tanh(a);
    case F::elu:
      return a < 0 ? alpha * std::expm1(a) : a;
    case F::clip:
      return a < alpha ? alpha : (a > beta ? beta : a);
    case F::selu:
      return beta * (a > 0 ? a : alpha * std::expm1(a));
    case F::celu:
      return a > 0 ? a : alpha * std::expm1(a / alpha);
    case F::softplus:
      return softplus(a);
    case F::softsign:
      return a / (1 + std::fabs(a));
    case F::hard_sigmoid:
      return std::clamp(alpha * a + beta, 0.0, 1.0);
    case F::hard_swish:
      return a * std::clamp(a / 6 + 0.5, 0.0, 1.0);
    case F::mish:
      return a * std::tanh(softplus(a));
    case F::gelu:
      return 0.5 * a * (1 + std::erf(a / std::sqrt(2.0)));
    case F::gelu_tanh:
      return 0.5 * a * (1 + std::tanh(std::sqrt(2 / M_PI) * (a + 0.044715 * a * a * a)));
    case F::thresholded_relu:
      return a > alpha ? a : 0;
    case F::floor:
      return std::floor(a);
    case F::ceil:
      return std::ceil(a);
    case F::round:
      return std::nearbyint(a);
    case F::exp:
      return std::exp(a);
    case F::log:
      return std::log(a);
    case F::sqrt:
      return std::sqrt(a);
    case F::neg:
      return -a;
    case F::abs:
      return std::fabs(a);
    case F::reciprocal:
      return 1 / a;
    case F::erf:
      return std::erf(a);
    case F::sign:
      return a > 0 ? 1 : (a < 0 ? -1 : a);
    case F::sin:
      return std::sin(a);
    case F::cos:
      return std::cos(a);
    case F::tan:
      return std::tan(a);
    case F::sinh:
      return std::sinh(a);
    case F::cosh:
      return std::cosh(a);
    case F::asin:
      return std::asin(a);
    case F::acos:
      return std::acos(a);
    case F::atan:
      return std::atan(a);
    case F::asinh:
      return std::asinh(a);
    case F::acosh:
      return std::acosh(a);
    case F::atanh:
      return std::atanh(a);
    case F::shrink:
      return a > alpha ? a - beta : (a < -alpha ? a + beta : 0);
    case F::logical_not:
      return a == 0 ? 1 : 0;
    case F::is_nan:
      return std::isnan(a) ? 1 : 0;
    case F::is_inf:
      return std::isinf(a) && ((a > 0 && alpha != 0) || (a < 0 && beta != 0)) ? 1 : 0;
    default:
      return a;
  }
}

/// The remainder with the divisor's sign.
double floored_mod(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

std::int64_t integer_pow(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : (base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0);
  std::uint64_t result = 1, factor = static_cast<std::uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, factor *= factor)
    if ((exponent & 1) != 0) result *= factor;
  return static_cast<std::int64_t>(result);
}

/// Sums and products wrap, as the element types do.
std::int64_t wrap(std::uint64_t v) { return static_cast<std::int64_t>(v); }

}  // namespace

double apply_real(Function f, double alpha, double beta, double a, double b, double c) {
  using F = Function;
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
      return std::pow(a, b);
    case F::min:
      return std::isnan(a) || a < b ? a : b;
    case F::max:
      return std::isnan(a) || a > b ? a : b;
    case F::mod:
      return floored_mod(a, b);
    case F::fmod:
      return std::fmod(a, b);
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
      return unary(f, alpha, beta, a);
  }
}

std::int64_t apply_integer(Function f, std::int64_t a, std::int64_t b, std::int64_t c) {
  using F = Function;
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
      return std::min(a, b);
    case F::max:
      return std::max(a, b);
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
      return static_cast<std::int64_t>(unary(f, 0, 0, static_cast<double>(a)));
  }
}

}  // namespace isocenter::infer
