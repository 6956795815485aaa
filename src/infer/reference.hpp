#pragma once
// Every operation in plain loops over dense arrays of any element type, in float64 or int64 inside. It folds
// constants, runs what has no faster form, and is what the tests hold the faster forms to. It allocates nothing.
#include <span>

#include "infer/graph.hpp"

namespace isocenter::infer {

inline constexpr int max_rank = 8;

/// A dense array, last axis fastest, of someone else's.
struct View {
  ElementType type;
  const Shape* shape;
  std::byte* data;
};
struct ConstView {
  ElementType type;
  const Shape* shape;
  const std::byte* data;
};
inline ConstView view_of(const Array& a) { return {a.type(), &a.shape(), a.data()}; }

void evaluate_reference(const Node& node, std::span<const ConstView> inputs, View output);

/// One elementwise function in float64 and in int64.
double apply_real(Function function, double alpha, double beta, double a, double b, double c);
std::int64_t apply_integer(Function function, std::int64_t a, std::int64_t b, std::int64_t c);

}  // namespace isocenter::infer
