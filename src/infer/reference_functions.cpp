#include "infer/exact_functions.hpp"
#include "infer/reference.hpp"

namespace isocenter::infer {

double apply_real(Function function, double alpha, double beta, double a, double b, double c) {
  return isocenter::detail::apply_real(function, alpha, beta, a, b, c);
}
std::int64_t apply_integer(Function function, std::int64_t a, std::int64_t b, std::int64_t c) {
  return isocenter::detail::apply_integer(function, a, b, c);
}

}  // namespace isocenter::infer
