// Operators that are made of other operations: norms, one-hot forms, Fourier transforms, sampling grids.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

using F = Function;
using Kind = Reduction::Kind;

std::vector<int> axes_from(int first, int rank) {
  std::vector<int> axes(static_cast<std::size_t>(rank - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

ValueId square(NodeLowering& n, ValueId x) { return n.emit_map(F::mul, {x, x}); }

/// y = x / sqrt(mean(x²) + epsilon) * scale, over the axes from `axis` on. It is computed in float32 where the input is
/// narrower (stash_type).
void rms_normalization(NodeLowering& n) {
  const ValueId x = n.input(0);
  const int axis = n.axis(n.integer("axis", -1), n.rank(x));
  const bool narrow = n.type(x) == ElementType::f16 || n.type(x) == ElementType::bf16;
  const ValueId wide = narrow ? cast_to(n, x, ElementType::f32) : x;
  const ValueId mean = reduce(n, square(n, wide), Kind::mean, axes_from(axis, n.rank(x)));
  const ValueId shifted =
      n.emit_map(F::add, {mean, scalar_like(n, wide, static_cast<double>(n.real("epsilon", 1e-5F)))});
  const ValueId y = cast_to(n, n.emit_map(F::div, {wide, n.emit_map(F::sqrt, {shifted})}), n.type(x));
  n.output(0, n.emit_map(F::mul, {y, n.input(1)}));
}

/// (x - mean) / (standard deviation + 1e-9) over the given axes.
void mean_variance_normalization(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<int> axes;
  for (const std::int64_t a : n.list("axes", {0, 2, 3})) axes.push_back(n.axis(a, n.rank(x)));
  const ValueId centred = n.emit_map(F::sub, {x, reduce(n, x, Kind::mean, axes)});
  const ValueId deviation = n.emit_map(F::sqrt, {reduce(n, square(n, centred), Kind::mean, axes)});
  n.output(0, n.emit_map(F::div, {centred, n.emit_map(F::add, {deviation, scalar_like(n, x, 1e-9)})}));
}

void lp_normalization(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::int64_t p = n.integer("p", 2);
  if (p != 1 && p != 2) n.contradiction("has p = " + std::to_string(p) + "; 1 and 2 are allowed");
  const std::vector<int> axes{n.axis(n.integer("axis", -1), n.rank(x))};
  const ValueId sum = reduce(n, x, p == 1 ? Kind::sum_abs : Kind::sum_squares, axes);
  const ValueId norm = p == 1 ? sum : n.emit_map(F::sqrt, {sum});
  // Zeros stay zeros: their norm is brought above zero.
  n.output(0, n.emit_map(F::div, {x, n.emit_map(F::max, {norm, scalar_like(n, x, 1e-37)})}));
}

/// y = x / (bias + alpha / size * sum of x² over `size` neighbouring channels)^beta: the mean comes from a pool over
/// the channel axis. ONNX LRN; Krizhevsky et al., NIPS 2012, section 3.3.
void lrn(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::int64_t size = n.integer("size", 0);
  if (n.rank(x) < 3 || size < 1 || size > n.shape(x)[1] * 2)
    n.contradiction("normalises over " + std::to_string(size) + " channels of " + to_text(n.shape(x)));
  const Shape shape = n.shape(x);
  const Shape flat{shape[0], 1, shape[1], element_count(shape) / std::max<std::int64_t>(1, shape[0] * shape[1])};
  Pool pool;
  pool.kind = Pool::Kind::average;
  pool.count_pads = true;
  pool.window = {{size, 1}, {1, 1}, {1, 1}, {(size - 1) / 2, 0}, {size / 2, 0}};
  const ValueId mean = n.emit_alias(n.emit(pool, {n.emit_alias(square(n, x), flat)}, n.type(x), flat), shape);
  const auto constant = [&](const char* name, float otherwise) {
    return scalar_like(n, x, static_cast<double>(n.real(name, otherwise)));
  };
  const ValueId base = n.emit_map(F::affine, {mean, constant("alpha", 1e-4F), constant("bias", 1.0F)});
  n.output(0, n.emit_map(F::div, {x, n.emit_map(F::pow, {base, constant("beta", 0.75F)})}));
}

/// 1 where indices equal the position along `axis`, as a bool.
ValueId is_position(NodeLowering& n, ValueId indices, int axis, std::int64_t extent) {
  Shape shape(n.shape(indices).size(), 1);
  shape[static_cast<std::size_t>(axis)] = extent;
  Array positions(ElementType::i64, shape);
  for (std::int64_t i = 0; i < extent; ++i) positions.set_integer(i, i);
  return n.emit_map(F::equal, {indices, n.add_constant(std::move(positions))});
}

/// Before opset 13 the axes from `axis` on are one.
void hardmax(NodeLowering& n) {
  const ValueId x = n.input(0);
  const bool flattens = n.opset() < 13;
  int axis = n.axis(n.integer("axis", flattens ? 1 : -1), n.rank(x));
  const Shape shape = n.shape(x);
  ValueId y = x;
  if (flattens) {
    Shape flat{1, 1};
    for (int i = 0; i < n.rank(x); ++i) flat[i < axis ? 0 : 1] *= shape[static_cast<std::size_t>(i)];
    y = n.emit_alias(x, flat);
    axis = 1;
  }
  const ValueId best = reduce(n, y, Kind::arg_max, {axis});
  const ValueId hot = is_position(n, best, axis, n.shape(y)[static_cast<std::size_t>(axis)]);
  n.output(0, n.emit_alias(cast_to(n, hot, n.type(x)), shape));
}

/// An index below -depth or from depth on gives a row of the off value.
void one_hot(NodeLowering& n) {
  ValueId indices = cast_to(n, n.input(0), ElementType::i64);
  const Array& depth_input = n.constant(1, "the depth");
  const std::int64_t depth = depth_input.count() == 1 ? static_cast<std::int64_t>(depth_input.real(0)) : -1;
  if (depth < 1 || depth > (1 << 24)) n.contradiction("has a depth that is not one number of 1 to 2^24");
  const int axis = n.axis(n.integer("axis", -1), n.rank(indices) + 1);
  Shape shape = n.shape(indices);
  shape.insert(shape.begin() + axis, 1);
  indices = n.emit_alias(indices, shape);
  const ValueId zero = scalar_like(n, indices, 0), whole = scalar_like(n, indices, static_cast<double>(depth));
  indices = n.emit_map(F::where, {n.emit_map(F::less, {indices, zero}), n.emit_map(F::add, {indices, whole}), indices});
  const ValueId values = n.input(2);
  if (n.shape(values) != Shape{2}) n.contradiction("has values of shape " + to_text(n.shape(values)));
  const auto value = [&](std::int32_t which) {
    Copy one = same_axes(1);
    one.tables[0] = {which};
    return n.emit_copy(std::move(one), values, {1});
  };
  n.output(0, n.emit_map(F::where, {is_position(n, indices, axis, depth), value(1), value(0)}));
}

/// The upper or lower triangle of the last two axes; the rest is zero.
void trilu(NodeLowering& n) {
  const ValueId x = n.input(0);
  if (n.rank(x) < 2) n.contradiction("takes a triangle of " + to_text(n.shape(x)));
  const std::int64_t k = n.has_input(1) ? n.integers(1, "the diagonal").at(0) : 0;
  const bool upper = n.integer("upper", 1) != 0;
  const Shape& s = n.shape(x);
  const std::int64_t rows = s[s.size() - 2], columns = s[s.size() - 1];
  Array keep(ElementType::boolean, {rows, columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) keep.set_integer(i * columns + j, upper ? j - i >= k : j - i <= k);
  n.output(0, n.emit_map(F::where, {n.add_constant(std::move(keep)), x, scalar_like(n, x, 0)}));
}

/// Each axis is cut or padded with zeros to its extent, evenly; an odd remainder goes to the end.
void center_crop_pad(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto target = n.integers(1, "the shape");
  std::vector<std::int64_t> axes(static_cast<std::size_t>(n.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  axes = n.list("axes", axes);
  if (target.size() != axes.size())
    n.contradiction("has " + std::to_string(target.size()) + " extents for " + std::to_string(axes.size()) + " axes");
  Copy copy = same_axes(n.rank(x));
  Shape shape = n.shape(x);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(n.axis(axes[i], n.rank(x)));
    const std::int64_t in = n.shape(x)[axis], out = target[i];
    if (out < 0 || out > (1 << 27)) n.contradiction("asks for the shape " + to_text(target));
    const std::int64_t first = out <= in ? (in - out) / 2 : -((out - in) / 2);
    for (std::int64_t k = 0; k < out && in != out; ++k) {
      const std::int64_t from = first + k;
      copy.tables[axis].push_back(static_cast<std::int32_t>(from >= 0 && from < in ? from : -1));
    }
    shape[axis] = out;
  }
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

void eye_like(NodeLowering& n) {
  const ValueId x = n.input(0);
  if (n.rank(x) != 2) n.contradiction("makes a matrix like " + to_text(n.shape(x)));
  const auto type = element_type_of(n.integer("dtype", 0));
  const std::int64_t k = n.integer("k", 0), rows = n.shape(x)[0], columns = n.shape(x)[1];
  Array eye(type.value_or(n.type(x)), n.shape(x));
  for (std::int64_t i = std::max<std::int64_t>(0, -k); i < rows && i + k < columns; ++i)
    eye.set_integer(i * columns + i + k, 1);
  n.output(0, n.add_constant(std::move(eye)));
}

/// The positions of a regular grid in [-1, 1], times theta. They are the product of a constant (points, axes + 1) with
/// each theta (axes, axes + 1), transposed.
void affine_grid(NodeLowering& n) {
  const ValueId theta = n.input(0);
  const auto size = n.integers(1, "the size");
  const auto axes = static_cast<std::int64_t>(size.size()) - 2;
  if ((axes != 2 && axes != 3) || n.shape(theta) != Shape{size[0], axes, axes + 1})
    n.contradiction("has theta of shape " + to_text(n.shape(theta)) + " for the size " + to_text(size));
  const bool corners = n.integer("align_corners", 0) != 0;
  const Shape space(size.begin() + 2, size.end());
  const std::int64_t points = element_count(space);
  Array grid(n.type(theta), {points, axes + 1});
  for (std::int64_t i = 0; i < points; ++i) {
    std::int64_t rest = i;
    for (std::int64_t a = 0; a < axes; ++a) {  // x first
      const std::int64_t extent = space[static_cast<std::size_t>(axes - 1 - a)], at = rest % extent;
      rest /= extent;
      const double k = static_cast<double>(at), e = static_cast<double>(extent);
      grid.set_real(i * (axes + 1) + a, corners ? (extent == 1 ? -1.0 : 2 * k / (e - 1) - 1) : (2 * k + 1) / e - 1);
    }
    grid.set_real(i * (axes + 1) + axes, 1.0);
  }
  Shape shape{size[0]};
  shape.insert(shape.end(), space.begin(), space.end());
  shape.push_back(axes);
  n.output(0, n.emit_alias(product(n, n.add_constant(std::move(grid)), theta, false, true, no_value), shape));
}

struct FourierPlan {
  std::int64_t in = 0, out = 0, length = 0;  ///< extents along the axis, and the transform's length
  std::int64_t parts_in = 2, parts_out = 2;  ///< 1: real, 2: real and imaginary
  bool inverse = false, one_sided = false;
};

/// The transform along one axis as a matrix: rows (position, part) of the input, columns (frequency, part).
Array fourier_matrix(const FourierPlan& p, ElementType type) {
  Array m(type, {p.in * p.parts_in, p.out * p.parts_out});
  const double scale = p.inverse ? 1.0 / static_cast<double>(p.length) : 1.0;
  for (std::int64_t i = 0; i < std::min(p.in, p.length); ++i)
    for (std::int64_t k = 0; k < p.out; ++k) {
      const double turn = 2 * std::numbers::pi * static_cast<double>(i * k % p.length) / static_cast<double>(p.length);
      const double re = std::cos(turn) * scale, im = (p.inverse ? std::sin(turn) : -std::sin(turn)) * scale;
      // The inverse of a one-sided spectrum counts all frequencies but the first and the middle one twice.
      const bool half = p.inverse && p.one_sided;
      if (half && i > p.length / 2) continue;
      const double twice = half && i != 0 && 2 * i != p.length ? 2.0 : 1.0;
      const auto set = [&](std::int64_t from, std::int64_t to, double v) {
        if (from < p.parts_in && to < p.parts_out)
          m.set_real((i * p.parts_in + from) * p.out * p.parts_out + k * p.parts_out + to, v * twice);
      };
      set(0, 0, re);
      set(0, 1, im);
      set(1, 0, -im);
      set(1, 1, re);
    }
  return m;
}

/// Along one axis of (..., 1 or 2), as a product with a constant matrix: exact, and quick for the lengths of networks.
void dft(NodeLowering& n) {
  const ValueId x = n.input(0);
  constexpr std::int64_t longest = 2048;
  const int rank = n.rank(x);
  if (rank < 2) n.contradiction("transforms " + to_text(n.shape(x)));
  std::int64_t asked = n.opset() < 20 ? n.integer("axis", 1) : -2;
  if (n.opset() >= 20 && n.has_input(2)) asked = n.integers(2, "the axis").at(0);
  const int axis = n.axis(asked, rank);
  FourierPlan p;
  p.inverse = n.integer("inverse", 0) != 0;
  p.one_sided = n.integer("onesided", 0) != 0;
  p.in = n.shape(x)[static_cast<std::size_t>(axis)];
  p.parts_in = n.shape(x).back();
  p.length = p.inverse && p.one_sided ? 2 * (p.in - 1) : p.in;
  if (n.has_input(1)) p.length = n.integers(1, "the length").at(0);
  if (axis == rank - 1 || (p.parts_in != 1 && p.parts_in != 2) || p.length < 1)
    n.contradiction("transforms axis " + std::to_string(asked) + " of " + to_text(n.shape(x)) + " with length " +
                    std::to_string(p.length));
  if (p.length > longest || p.in > longest)
    n.unsupported("has a length of " + std::to_string(std::max(p.length, p.in)) + "; at most " +
                      std::to_string(longest) + " is known",
                  "transform before or after the network");
  p.out = p.one_sided && !p.inverse ? p.length / 2 + 1 : p.length;
  p.parts_out = p.inverse && p.one_sided ? 1 : 2;
  std::vector<int> order;
  for (int i = 0; i < rank; ++i)
    if (i != axis && i != rank - 1) order.push_back(i);
  order.push_back(axis);
  order.push_back(rank - 1);
  const ValueId moved = permute(n, x, order);
  Shape shape = n.shape(moved);
  shape.pop_back();
  const std::int64_t rows = element_count(Shape(shape.begin(), shape.end() - 1));
  const ValueId y = product(n, n.emit_alias(moved, {rows, p.in * p.parts_in}),
                            n.add_constant(fourier_matrix(p, n.type(x))), false, false, no_value);
  shape.back() = p.out;
  shape.push_back(p.parts_out);
  std::vector<int> back(static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  n.output(0, permute(n, n.emit_alias(y, shape), back));
}

constexpr OperatorRow rows[] = {{"AffineGrid", affine_grid},
                                {"CenterCropPad", center_crop_pad},
                                {"DFT", dft},
                                {"EyeLike", eye_like},
                                {"Hardmax", hardmax},
                                {"LRN", lrn},
                                {"LpNormalization", lp_normalization},
                                {"MeanVarianceNormalization", mean_variance_normalization},
                                {"OneHot", one_hot},
                                {"RMSNormalization", rms_normalization},
                                {"Trilu", trilu}};

}  // namespace

std::span<const OperatorRow> composed_operators() { return rows; }

}  // namespace isocenter::infer
