// Operators that work element by element.
#include <cmath>
#include <limits>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

using F = Function;

template <Function function>
void simple(NodeLowering& n) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < arity_of(function); ++i) inputs.push_back(n.input(static_cast<std::size_t>(i)));
  n.output(0, n.emit_map(function, std::move(inputs)));
}

/// Functions with attributes alpha and beta under ONNX's names and defaults.
template <Function function>
void with_alpha(NodeLowering& n, const char* alpha, float a, const char* beta, float b) {
  const float second = beta == nullptr ? b : n.real(beta, b);
  n.output(0, n.emit_map(function, {n.input(0)}, n.real(alpha, a), second));
}
void leaky_relu(NodeLowering& n) { with_alpha<F::leaky_relu>(n, "alpha", 0.01F, nullptr, 0.0F); }
void elu(NodeLowering& n) { with_alpha<F::elu>(n, "alpha", 1.0F, nullptr, 0.0F); }
void celu(NodeLowering& n) { with_alpha<F::celu>(n, "alpha", 1.0F, nullptr, 0.0F); }
void thresholded_relu(NodeLowering& n) { with_alpha<F::thresholded_relu>(n, "alpha", 1.0F, nullptr, 0.0F); }
void hard_sigmoid(NodeLowering& n) { with_alpha<F::hard_sigmoid>(n, "alpha", 0.2F, "beta", 0.5F); }
void selu(NodeLowering& n) {
  with_alpha<F::selu>(n, "alpha", 1.67326319217681884765625F, "gamma", 1.05070102214813232421875F);
}
void gelu(NodeLowering& n) {
  n.output(0, n.emit_map(n.text("approximate", "none") == "tanh" ? F::gelu_tanh : F::gelu, {n.input(0)}));
}
void is_inf(NodeLowering& n) {
  n.output(0, n.emit_map(F::is_inf, {n.input(0)}, static_cast<float>(n.integer("detect_positive", 1)),
                         static_cast<float>(n.integer("detect_negative", 1))));
}
void modulo(NodeLowering& n) {
  n.output(0, n.emit_map(n.integer("fmod", 0) != 0 ? F::fmod : F::mod, {n.input(0), n.input(1)}));
}

void shrink(NodeLowering& n) {
  n.output(0, n.emit_map(F::shrink, {n.input(0)}, n.real("lambd", 0.5F), n.real("bias", 0.0F)));
}

/// Bitwise work is on integers alone.
void integers_only(NodeLowering& n, ValueId x) {
  if (is_floating(n.type(x))) n.contradiction(std::string("works on bits and is given ") + name_of(n.type(x)));
}
template <Function function>
void bitwise(NodeLowering& n) {
  integers_only(n, n.input(0));
  simple<function>(n);
}
/// Of unsigned integers, as before opset 28: what is shifted in is zero.
void bit_shift(NodeLowering& n) {
  integers_only(n, n.input(0));
  if (const std::string type = name_of(n.type(n.input(0))); type[0] != 'u')
    n.unsupported("shifts the bits of " + type, "export it with unsigned integers");
  const std::string direction = n.text("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") n.contradiction("shifts in direction '" + direction + "'");
  n.output(0, n.emit_map(direction == "LEFT" ? F::shift_left : F::shift_right, {n.input(0), n.input(1)}));
}

/// Min, Max, Sum: any number of inputs, from left to right.
template <Function function>
void chain(NodeLowering& n) {
  ValueId all = n.input(0);
  for (std::size_t i = 1; i < n.input_count(); ++i) all = n.emit_map(function, {all, n.input(i)});
  n.output(0, all);
}
void mean(NodeLowering& n) {
  ValueId all = n.input(0);
  for (std::size_t i = 1; i < n.input_count(); ++i) all = n.emit_map(F::add, {all, n.input(i)});
  n.output(0,
           n.emit_map(F::div, {all, n.add_constant(Array::scalar(n.type(all), static_cast<double>(n.input_count())))}));
}

void clip(NodeLowering& n) {
  const ValueId x = n.input(0);
  constexpr float most = std::numeric_limits<float>::max();
  if (n.opset() < 11) return n.output(0, n.emit_map(F::clip, {x}, n.real("min", -most), n.real("max", most)));
  const bool low = n.has_input(1), high = n.has_input(2);
  const bool constant = (!low || n.is_constant(n.input(1))) && (!high || n.is_constant(n.input(2)));
  if (constant && n.type(x) == ElementType::f32) {
    const float from = low ? static_cast<float>(n.constant(1, "min").real(0)) : -INFINITY;
    const float to = high ? static_cast<float>(n.constant(2, "max").real(0)) : INFINITY;
    if (from <= to) return n.output(0, n.emit_map(F::clip, {x}, from, to));
  }
  ValueId y = x;
  if (low) y = n.emit_map(F::max, {y, n.input(1)});
  if (high) y = n.emit_map(F::min, {y, n.input(2)});
  n.output(0, y);
}

void prelu(NodeLowering& n) { n.output(0, n.emit_map(F::prelu, {n.input(0), n.input(1)})); }

/// The result has the base's type, whatever the exponent's is.
void power(NodeLowering& n) {
  const ValueId exponent = n.input(1);
  const bool constant =
      n.is_constant(exponent) && element_count(n.shape(exponent)) == 1 && n.type(n.input(0)) == ElementType::f32;
  if (constant && n.constant(1, "exponent").real(0) == 2.0)
    return n.output(0, n.emit_map(F::mul, {n.input(0), n.input(0)}));
  if (constant && n.constant(1, "exponent").real(0) == 0.5) return n.output(0, n.emit_map(F::sqrt, {n.input(0)}));
  n.output(0, n.emit_map(F::pow, {n.input(0), exponent}));
}

/// Floating point of 8 bits: with `saturate` 0 what does not fit becomes infinity or NaN; Map::alpha carries that.
void cast_to_type(NodeLowering& n, ElementType type) {
  if (n.text("round_mode", "up") != "up") n.unsupported("rounds scales '" + n.text("round_mode", "") + "'", "use up");
  const ValueId x = n.input(0);
  const float unbounded = n.integer("saturate", 1) == 0 ? 1.0F : 0.0F;
  n.output(0, n.type(x) == type ? x : n.emit(Map{F::identity, unbounded, 0.0F, {}}, {x}, type, n.shape(x)));
}
void cast(NodeLowering& n) {
  const std::int64_t to = n.integer("to", 0);
  const auto type = element_type_of(to);
  if (!type)
    n.unsupported("casts to ONNX element type " + std::to_string(to),
                  "cast to a floating point type, bool or an integer type");
  cast_to_type(n, *type);
}
void cast_like(NodeLowering& n) { cast_to_type(n, n.type(n.input(1))); }

/// Inference: the values pass; a mask that is asked for is all true.
void dropout(NodeLowering& n) {
  if (n.has_input(2) && n.constant(2, "training_mode").integer(0) != 0 &&
      !(n.has_input(1) && n.constant(1, "ratio").real(0) == 0.0))
    n.unsupported("is in training mode", "export the model in evaluation mode");
  n.output(0, n.input(0));
  if (!n.wants_output(1)) return;
  Array mask(ElementType::boolean, n.shape(n.input(0)));
  for (std::int64_t i = 0; i < mask.count(); ++i) mask.set_integer(i, 1);
  n.output(1, n.add_constant(std::move(mask)));
}
void identity(NodeLowering& n) { n.output(0, n.input(0)); }

void swish(NodeLowering& n) {
  const ValueId x = n.input(0);
  const float alpha = n.real("alpha", 1.0F);
  ValueId scaled = x;
  if (alpha != 1.0F)
    scaled = n.emit_map(F::mul, {x, n.add_constant(Array::scalar(n.type(x), static_cast<double>(alpha)))});
  n.output(0, n.emit_map(F::mul, {x, n.emit_map(F::sigmoid, {scaled})}));
}

/// Training mode: the batch's own mean and variance, and the running ones moved on by them.
void batch_normalization_of_batch(NodeLowering& n, const Shape& per_channel) {
  const ValueId x = n.input(0);
  std::vector<int> axes{0};
  for (int i = 2; i < n.rank(x); ++i) axes.push_back(i);
  const auto wide = [&](std::size_t i) { return n.emit_alias(n.input(i), per_channel); };
  const ValueId mean = reduce(n, x, Reduction::Kind::mean, axes);
  const ValueId centred = n.emit_map(F::sub, {x, mean});
  const ValueId variance = reduce(n, n.emit_map(F::mul, {centred, centred}), Reduction::Kind::mean, axes);
  const ValueId shifted =
      n.emit_map(F::add, {variance, scalar_like(n, variance, static_cast<double>(n.real("epsilon", 1e-5F)))});
  const ValueId normal = n.emit_map(F::div, {centred, n.emit_map(F::sqrt, {shifted})});
  n.output(0, n.emit_map(F::affine, {normal, wide(1), wide(2)}));
  const double momentum = static_cast<double>(n.real("momentum", 0.9F));
  const auto moved = [&](std::size_t i, ValueId now) {
    const ValueId before = n.input(i), here = n.emit_alias(cast_to(n, now, n.type(before)), n.shape(before));
    return n.emit_map(F::affine, {before, scalar_like(n, before, momentum),
                                  n.emit_map(F::mul, {here, scalar_like(n, before, 1 - momentum)})});
  };
  n.output(1, moved(3, mean));
  n.output(2, moved(4, variance));
}

/// y = (x - mean) / sqrt(var + epsilon) * scale + bias, as one affine map whose factors fold when they are constant.
void batch_normalization(NodeLowering& n) {
  const ValueId x = n.input(0);
  const bool training = n.integer("training_mode", 0) != 0;
  if (n.integer("spatial", 1) != 1 || (n.wants_output(1) && !training))
    n.unsupported("is in training mode or not spatial", "export the model in evaluation mode");
  if (n.rank(x) < 2) n.contradiction("normalises a tensor of " + std::to_string(n.rank(x)) + " axes");
  const std::int64_t channels = n.shape(x)[1];
  Shape per_channel(static_cast<std::size_t>(n.rank(x)) - 1, 1);
  per_channel[0] = channels;
  ValueId p[4];
  for (std::size_t i = 0; i < 4; ++i) {
    p[i] = n.input(i + 1);
    if (n.shape(p[i]) != Shape{channels})
      n.contradiction("has a parameter of shape " + to_text(n.shape(p[i])) + " for " + std::to_string(channels) +
                      " channels");
  }
  if (training) return batch_normalization_of_batch(n, per_channel);
  const ElementType type = n.type(p[3]);
  const ValueId variance =
      n.emit_map(F::add, {p[3], n.add_constant(Array::scalar(type, static_cast<double>(n.real("epsilon", 1e-5F))))});
  const ValueId factor = n.emit_map(F::div, {p[0], n.emit_map(F::sqrt, {variance})});
  const ValueId shift = n.emit_map(F::sub, {p[1], n.emit_map(F::mul, {p[2], factor})});
  n.output(0, n.emit_map(F::affine, {x, n.emit_alias(factor, per_channel), n.emit_alias(shift, per_channel)}));
}

constexpr OperatorRow rows[] = {{"Abs", simple<F::abs>},
                                {"Acos", simple<F::acos>},
                                {"Acosh", simple<F::acosh>},
                                {"Add", simple<F::add>},
                                {"And", simple<F::logical_and>},
                                {"Asin", simple<F::asin>},
                                {"Asinh", simple<F::asinh>},
                                {"Atan", simple<F::atan>},
                                {"Atanh", simple<F::atanh>},
                                {"BatchNormalization", batch_normalization},
                                {"BitShift", bit_shift},
                                {"BitwiseAnd", bitwise<F::bit_and>},
                                {"BitwiseNot", bitwise<F::bit_not>},
                                {"BitwiseOr", bitwise<F::bit_or>},
                                {"BitwiseXor", bitwise<F::bit_xor>},
                                {"Cast", cast},
                                {"CastLike", cast_like},
                                {"Ceil", simple<F::ceil>},
                                {"Celu", celu},
                                {"Clip", clip},
                                {"Cos", simple<F::cos>},
                                {"Cosh", simple<F::cosh>},
                                {"Div", simple<F::div>},
                                {"Dropout", dropout},
                                {"Elu", elu},
                                {"Equal", simple<F::equal>},
                                {"Erf", simple<F::erf>},
                                {"Exp", simple<F::exp>},
                                {"Floor", simple<F::floor>},
                                {"Gelu", gelu},
                                {"Greater", simple<F::greater>},
                                {"GreaterOrEqual", simple<F::greater_equal>},
                                {"HardSigmoid", hard_sigmoid},
                                {"HardSwish", simple<F::hard_swish>},
                                {"Identity", identity},
                                {"IsInf", is_inf},
                                {"IsNaN", simple<F::is_nan>},
                                {"LeakyRelu", leaky_relu},
                                {"Less", simple<F::less>},
                                {"LessOrEqual", simple<F::less_equal>},
                                {"Log", simple<F::log>},
                                {"Max", chain<F::max>},
                                {"Mean", mean},
                                {"Min", chain<F::min>},
                                {"Mish", simple<F::mish>},
                                {"Mod", modulo},
                                {"Mul", simple<F::mul>},
                                {"Neg", simple<F::neg>},
                                {"Not", simple<F::logical_not>},
                                {"Or", simple<F::logical_or>},
                                {"PRelu", prelu},
                                {"Pow", power},
                                {"Reciprocal", simple<F::reciprocal>},
                                {"Relu", simple<F::relu>},
                                {"Round", simple<F::round>},
                                {"Selu", selu},
                                {"Shrink", shrink},
                                {"Sigmoid", simple<F::sigmoid>},
                                {"Sign", simple<F::sign>},
                                {"Sin", simple<F::sin>},
                                {"Sinh", simple<F::sinh>},
                                {"Softplus", simple<F::softplus>},
                                {"Softsign", simple<F::softsign>},
                                {"Sqrt", simple<F::sqrt>},
                                {"Sub", simple<F::sub>},
                                {"Sum", chain<F::add>},
                                {"Swish", swish},
                                {"Tan", simple<F::tan>},
                                {"Tanh", simple<F::tanh>},
                                {"ThresholdedRelu", thresholded_relu},
                                {"Where", simple<F::where>},
                                {"Xor", simple<F::logical_xor>}};

}  // namespace

std::span<const OperatorRow> elementwise_operators() { return rows; }

}  // namespace isocenter::infer
