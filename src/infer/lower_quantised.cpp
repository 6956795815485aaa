// Quantised operators. real = scale * (stored - zero point); ONNX QuantizeLinear and DequantizeLinear.
#include <algorithm>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

using F = Function;

/// A scale or zero point brought to broadcast with x: one element, one for each position of an axis, or one for each
/// block of positions.
ValueId spread(NodeLowering& n, ValueId v, ValueId x, std::int64_t axis_attribute, std::int64_t block) {
  const Shape& shape = n.shape(v);
  if (element_count(shape) == 1 && shape.size() <= 1) return n.emit_alias(v, {});
  const int axis = n.axis(axis_attribute, n.rank(x));
  const auto k = static_cast<std::size_t>(axis);
  if (shape.size() == 1 && shape[0] == n.shape(x)[k]) {
    Shape wide(n.shape(x).size(), 1);
    wide[k] = shape[0];
    return n.emit_alias(v, wide);
  }
  const std::int64_t extent = n.shape(x)[k];
  Shape blocks = n.shape(x);
  if (block > 0) blocks[k] = (extent + block - 1) / block;
  if (block < 1 || blocks != shape)
    n.contradiction("has a scale or zero point of shape " + to_text(shape) + " for " + to_text(n.shape(x)) + ", axis " +
                    std::to_string(axis) + ", blocks of " + std::to_string(block));
  Copy copy = same_axes(n.rank(x));
  for (std::int64_t i = 0; i < extent; ++i) copy.tables[k].push_back(static_cast<std::int32_t>(i / block));
  return n.emit_copy(std::move(copy), v, n.shape(x));
}

ElementType type_attribute(NodeLowering& n, const char* name, ElementType otherwise) {
  const std::int64_t code = n.integer(name, 0);
  if (code == 0) return otherwise;
  const auto type = element_type_of(code);
  if (!type) n.contradiction("has " + std::string(name) + " = " + std::to_string(code));
  return *type;
}

/// Rounds half to even, adds the zero point, and saturates to the type.
ValueId to_stored(NodeLowering& n, ValueId x, ValueId zero_point, ElementType type) {
  ValueId y = n.emit_map(F::round, {x});
  if (zero_point != no_value) y = n.emit_map(F::add, {y, cast_to(n, zero_point, n.type(y))});
  const bool narrow4 = type == ElementType::i4 || type == ElementType::u4;
  if (narrow4 || type == ElementType::i2 || type == ElementType::u2) {  // whose casts wrap
    const double most = narrow4 ? 15 : 3, low = type == ElementType::i4 ? -8 : (type == ElementType::i2 ? -2 : 0);
    y = n.emit_map(F::min, {n.emit_map(F::max, {y, scalar_like(n, y, low)}), scalar_like(n, y, low + most)});
  }
  return cast_to(n, y, type);
}

void quantize_linear(NodeLowering& n) {
  ValueId x = n.input(0);
  const std::int64_t axis = n.integer("axis", 1), block = n.integer("block_size", 0);
  ValueId scale = spread(n, n.input(1), x, axis, block);
  const ValueId zero = n.has_input(2) ? spread(n, n.input(2), x, axis, block) : no_value;
  const ElementType type = zero != no_value ? n.type(zero) : type_attribute(n, "output_dtype", ElementType::u8);
  const ElementType precision = type_attribute(n, "precision", is_floating(n.type(x)) ? n.type(x) : n.type(scale));
  x = n.emit_map(F::div, {cast_to(n, x, precision), cast_to(n, scale, precision)});
  if (!is_floating(type)) return n.output(0, to_stored(n, x, zero, type));
  const float unbounded = n.integer("saturate", 1) == 0 ? 1.0F : 0.0F;
  n.output(0, n.emit(Map{F::identity, unbounded, 0.0F, {}}, {x}, type, n.shape(x)));
}

/// Notes the int8 behind a constant: from int8 with the zero point 0, or uint8 with 128.
void note_stored(NodeLowering& n, ValueId y, const Array& x, const Array& scale, const Array* zero,
                 std::int64_t axis_attribute) {
  const bool wide = x.type() == ElementType::u8;
  if ((!wide && x.type() != ElementType::i8) || scale.type() != ElementType::f32 || scale.shape().size() > 1) return;
  if (wide && zero == nullptr) return;
  for (std::int64_t i = 0; zero != nullptr && i < zero->count(); ++i)
    if (zero->integer(i) != (wide ? 128 : 0)) return;
  StoredConstant stored{Array(ElementType::i8, x.shape()), {scale.as<float>(), scale.as<float>() + scale.count()}, 0};
  if (scale.count() > 1) stored.axis = n.axis(axis_attribute, static_cast<int>(x.shape().size()));
  for (std::int64_t i = 0; i < x.count(); ++i) stored.values.set_integer(i, x.integer(i) - (wide ? 128 : 0));
  n.set_stored(y, std::move(stored));
}

/// stored - zero point: in int32, which holds the difference of any two, or in the scale's type.
ValueId difference(NodeLowering& n, ValueId x, ValueId zero, ElementType real) {
  const ElementType wide = is_floating(n.type(x)) ? real : ElementType::i32;
  x = cast_to(n, x, wide);
  return zero == no_value ? x : n.emit_map(F::sub, {x, cast_to(n, zero, wide)});
}

/// scale * (x - zero point); `zero_given` may be no_value.
ValueId to_real(NodeLowering& n, ValueId x, ValueId scale_given, ValueId zero_given, std::int64_t axis,
                std::int64_t block) {
  const ValueId scale = spread(n, scale_given, x, axis, block);
  const ValueId zero = zero_given == no_value ? no_value : spread(n, zero_given, x, axis, block);
  const ElementType real = n.type(scale);
  const ValueId y = n.emit_map(F::mul, {cast_to(n, difference(n, x, zero, real), real), scale});
  if (n.is_constant(y) && block == 0)
    note_stored(n, y, n.known(x, "x"), n.known(scale_given, "the scale"),
                zero == no_value ? nullptr : &n.known(zero_given, "the zero point"), axis);
  return y;
}

void dequantize_linear(NodeLowering& n) {
  const ValueId zero = n.has_input(2) ? n.input(2) : no_value;
  const ValueId y = to_real(n, n.input(0), n.input(1), zero, n.integer("axis", 1), n.integer("block_size", 0));
  n.output(0, cast_to(n, y, type_attribute(n, "output_dtype", n.type(y))));
}

bool is_single(NodeLowering& n, std::size_t input) {
  const Shape& shape = n.shape(n.input(input));
  return shape.size() <= 1 && element_count(shape) == 1;
}

/// QuantizeLinear of a real value by inputs that hold one element each.
ValueId to_stored_by(NodeLowering& n, ValueId y, std::size_t scale, std::size_t zero) {
  const ValueId point = n.emit_alias(n.input(zero), {});
  return to_stored(n, n.emit_map(F::div, {y, n.emit_alias(n.input(scale), {})}), point, n.type(point));
}

/// uint8, with the scale and zero point from the tensor's own range, which includes 0.
void dynamic_quantize_linear(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<int> axes;
  for (int i = 0; i < n.rank(x); ++i) axes.push_back(i);
  const ValueId zero = scalar_like(n, x, 0), one = scalar_like(n, x, 1), top = scalar_like(n, x, 255);
  const ValueId most = n.emit_map(F::max, {n.emit_alias(reduce(n, x, Reduction::Kind::max, axes), {}), zero});
  const ValueId least = n.emit_map(F::min, {n.emit_alias(reduce(n, x, Reduction::Kind::min, axes), {}), zero});
  const ValueId range = n.emit_map(F::sub, {most, least});
  const ValueId scale =
      n.emit_map(F::div, {n.emit_map(F::where, {n.emit_map(F::equal, {range, zero}), one, range}), top});
  const ValueId raw = n.emit_map(F::div, {n.emit_map(F::neg, {least}), scale});
  const ValueId point = n.emit_map(F::round, {n.emit_map(F::min, {n.emit_map(F::max, {raw, zero}), top})});
  n.output(0, to_stored(n, n.emit_map(F::div, {x, scale}), point, ElementType::u8));
  n.output(1, scale);
  n.output(2, cast_to(n, point, ElementType::u8));
}

/// Zero points of a's rows or b's columns: (m) becomes (m, 1), (n) stays.
ValueId minus_zero_point(NodeLowering& n, ValueId x, std::size_t input, bool by_row) {
  ValueId y = cast_to(n, x, ElementType::i32);
  if (!n.has_input(input)) return y;
  ValueId zero = cast_to(n, n.input(input), ElementType::i32);
  const Shape s = n.shape(zero);
  if (s.size() == 1 && s[0] > 1 && by_row) zero = n.emit_alias(zero, {s[0], 1});
  return n.emit_map(F::sub, {y, zero});
}

ValueId integer_product(NodeLowering& n, ValueId a, ValueId b) {
  const bool vector_a = n.rank(a) == 1, vector_b = n.rank(b) == 1;
  if (n.rank(a) == 0 || n.rank(b) == 0) n.contradiction("multiplies a scalar");
  if (vector_a) a = n.emit_alias(a, {1, n.shape(a)[0]});
  if (vector_b) b = n.emit_alias(b, {n.shape(b)[0], 1});
  const ValueId y = product(n, a, b, false, false, no_value);
  Shape shape = n.shape(y);
  if (vector_b) shape.pop_back();
  if (vector_a) shape.erase(shape.end() - (vector_b ? 1 : 2));
  return n.emit_alias(y, shape);
}

void matmul_integer(NodeLowering& n) {
  n.output(0, integer_product(n, minus_zero_point(n, n.input(0), 2, true), minus_zero_point(n, n.input(1), 3, false)));
}

void qlinear_matmul(NodeLowering& n) {
  if (n.options().real_products && n.is_constant(n.input(3)) && n.rank(n.input(0)) > 1 && n.rank(n.input(3)) == 2 &&
      n.rank(n.input(4)) <= 1 && n.rank(n.input(5)) <= 1 && is_single(n, 1) && is_single(n, 2) && is_single(n, 6) &&
      is_single(n, 7)) {
    const ValueId a = to_real(n, n.input(0), n.input(1), n.input(2), 0, 0);
    const ValueId b = to_real(n, n.input(3), n.input(4), n.input(5), 1, 0);
    return n.output(0, to_stored_by(n, product(n, a, b, false, false, no_value), 6, 7));
  }
  const ValueId sums =
      integer_product(n, minus_zero_point(n, n.input(0), 2, true), minus_zero_point(n, n.input(3), 5, false));
  const auto scale = [&](std::size_t i, bool by_row) {
    const ValueId v = cast_to(n, n.input(i), ElementType::f32);
    const Shape s = n.shape(v);
    return by_row && s.size() == 1 && s[0] > 1 ? n.emit_alias(v, {s[0], 1})
                                               : (element_count(s) == 1 ? n.emit_alias(v, {}) : v);
  };
  const ValueId factor = n.emit_map(F::div, {n.emit_map(F::mul, {scale(1, true), scale(4, false)}), scale(6, true)});
  ValueId zero = n.input(7);
  if (const Shape s = n.shape(zero); s.size() == 1) zero = n.emit_alias(zero, s[0] == 1 ? Shape{} : Shape{s[0], 1});
  n.output(0, to_stored(n, n.emit_map(F::mul, {cast_to(n, sums, ElementType::f32), factor}), zero, n.type(zero)));
}

/// One element for each output channel, or one for all, brought to broadcast with weights or an output.
ValueId by_channel(NodeLowering& n, ValueId v, std::size_t rank, std::size_t axis) {
  const Shape s = n.shape(v);
  if (element_count(s) == 1) return n.emit_alias(v, {});
  Shape wide(rank, 1);
  wide[axis] = element_count(s);
  return n.emit_alias(v, wide);
}

/// The convolution of two tensors of 8-bit integers less their zero points, exact: in float32 where every sum stays
/// below 2^24, else in float64.
ValueId integer_convolution(NodeLowering& n, std::size_t x, std::size_t x_zero, std::size_t w, std::size_t w_zero) {
  const Shape weights = n.shape(n.input(w));
  std::int64_t terms = 1;
  for (std::size_t k = 1; k < weights.size(); ++k) terms *= weights[k];
  const ElementType type = terms < (std::int64_t{1} << 24) / (255 * 255) ? ElementType::f32 : ElementType::f64;
  ValueId a = cast_to(n, n.input(x), type), b = cast_to(n, n.input(w), type);
  if (n.has_input(x_zero)) a = n.emit_map(F::sub, {a, cast_to(n, by_channel(n, n.input(x_zero), 1, 0), type)});
  if (n.has_input(w_zero))
    b = n.emit_map(F::sub, {b, cast_to(n, by_channel(n, n.input(w_zero), weights.size(), 0), type)});
  return convolve(n, a, b, no_value);
}

void conv_integer(NodeLowering& n) { n.output(0, cast_to(n, integer_convolution(n, 0, 2, 1, 3), ElementType::i32)); }

/// scale of x * scale of the weights * B, by channel.
ValueId real_bias(NodeLowering& n) {
  const ValueId scale = n.emit_map(F::mul, {n.emit_alias(n.input(1), {}), n.input(4)});
  return n.emit_map(F::mul, {cast_to(n, n.input(8), ElementType::f32), scale});
}

void qlinear_conv(NodeLowering& n) {
  if (n.options().real_products && n.is_constant(n.input(3)) && is_single(n, 1) && is_single(n, 2) && is_single(n, 6) &&
      is_single(n, 7)) {
    const ValueId x = to_real(n, n.input(0), n.input(1), n.input(2), 1, 0);
    const ValueId w = to_real(n, n.input(3), n.input(4), n.input(5), 0, 0);
    return n.output(0, to_stored_by(n, convolve(n, x, w, n.has_input(8) ? real_bias(n) : no_value), 6, 7));
  }
  ValueId sums = integer_convolution(n, 0, 2, 3, 5);
  const auto rank = n.shape(sums).size();
  if (n.has_input(8)) sums = n.emit_map(F::add, {sums, cast_to(n, by_channel(n, n.input(8), rank, 1), n.type(sums))});
  const auto scale = [&](std::size_t i) { return cast_to(n, by_channel(n, n.input(i), rank, 1), n.type(sums)); };
  const ValueId factor = n.emit_map(F::div, {n.emit_map(F::mul, {scale(1), scale(4)}), scale(6)});
  const ValueId zero = by_channel(n, n.input(7), rank, 1);
  n.output(0, to_stored(n, n.emit_map(F::mul, {sums, factor}), zero, n.type(zero)));
}

constexpr OperatorRow rows[] = {{"ConvInteger", conv_integer},
                                {"DequantizeLinear", dequantize_linear},
                                {"DynamicQuantizeLinear", dynamic_quantize_linear},
                                {"MatMulInteger", matmul_integer},
                                {"QLinearConv", qlinear_conv},
                                {"QLinearMatMul", qlinear_matmul},
                                {"QuantizeLinear", quantize_linear}};

}  // namespace

std::span<const OperatorRow> quantised_operators() { return rows; }

}  // namespace isocenter::infer
