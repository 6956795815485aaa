// Operators whose data say where to read or write: gathering and scattering, selections, sorting.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

void integers_only(NodeLowering& n, ValueId indices) {
  if (is_floating(n.type(indices)) || n.type(indices) == ElementType::boolean)
    n.contradiction(std::string("has indices of type ") + name_of(n.type(indices)));
}

bool within(const Shape& inner, const Shape& outer, int axis) {
  if (inner.size() != outer.size()) return false;
  for (std::size_t k = 0; k < inner.size(); ++k)
    if (static_cast<int>(k) != axis && inner[k] > outer[k]) return false;
  return true;
}

ValueId gather_at(NodeLowering& n, ValueId x, ValueId indices, int axis) {
  return n.emit(Loops{GatherIndexed{axis, true}}, {x, indices}, n.type(x), n.shape(indices));
}

void gather_elements(NodeLowering& n) {
  const ValueId x = n.input(0), indices = n.input(1);
  integers_only(n, indices);
  const int axis = n.axis(n.integer("axis", 0), n.rank(x));
  if (!within(n.shape(indices), n.shape(x), axis))
    n.contradiction("gathers " + to_text(n.shape(indices)) + " from " + to_text(n.shape(x)));
  n.output(0, gather_at(n, x, indices, axis));
}

/// The shape of data behind the positions that indices (..., depth) name.
Shape block_shape(NodeLowering& n, ValueId x, ValueId indices, std::size_t batch) {
  integers_only(n, indices);
  const Shape &data = n.shape(x), &at = n.shape(indices);
  const bool fits = !at.empty() && at.size() > batch && data.size() >= batch && at.back() >= 1 &&
                    static_cast<std::size_t>(at.back()) <= data.size() - batch &&
                    std::equal(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(batch), at.begin());
  if (!fits) n.contradiction("has indices of shape " + to_text(at) + " for " + to_text(data));
  Shape shape(at.begin(), at.end() - 1);
  shape.insert(shape.end(), data.begin() + static_cast<std::ptrdiff_t>(batch) + at.back(), data.end());
  return shape;
}

void gather_nd(NodeLowering& n) {
  const ValueId x = n.input(0), indices = n.input(1);
  const std::int64_t batch = n.integer("batch_dims", 0);
  if (batch < 0 || batch > 6) n.contradiction("has batch_dims = " + std::to_string(batch));
  Shape shape = block_shape(n, x, indices, static_cast<std::size_t>(batch));
  n.output(0, n.emit(Loops{GatherPositions{static_cast<int>(batch)}}, {x, indices}, n.type(x), std::move(shape)));
}

Combine read_combine(NodeLowering& n) {
  const std::string how = n.text("reduction", "none");
  if (how == "none") return Combine::replace;
  if (how == "add") return Combine::add;
  if (how == "mul") return Combine::multiply;
  if (how == "max") return Combine::max;
  if (how != "min") n.contradiction("has reduction '" + how + "'");
  return Combine::min;
}

void scatter_elements(NodeLowering& n) {
  const ValueId x = n.input(0), indices = n.input(1), updates = n.input(2);
  integers_only(n, indices);
  const int axis = n.axis(n.integer("axis", 0), n.rank(x));
  if (!within(n.shape(indices), n.shape(x), axis) || n.shape(updates) != n.shape(indices) ||
      n.type(updates) != n.type(x))
    n.contradiction("scatters " + to_text(n.shape(updates)) + " at " + to_text(n.shape(indices)) + " into " +
                    to_text(n.shape(x)));
  n.output(0, n.emit(Loops{ScatterElements{axis, read_combine(n)}}, {x, indices, updates}, n.type(x), n.shape(x)));
}

void scatter_nd(NodeLowering& n) {
  const ValueId x = n.input(0), indices = n.input(1), updates = n.input(2);
  if (n.shape(updates) != block_shape(n, x, indices, 0) || n.type(updates) != n.type(x))
    n.contradiction("scatters " + to_text(n.shape(updates)) + " at " + to_text(n.shape(indices)) + " into " +
                    to_text(n.shape(x)));
  n.output(0, n.emit(Loops{ScatterPositions{read_combine(n)}}, {x, indices, updates}, n.type(x), n.shape(x)));
}

void cumulative_sum(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto axes = n.integers(1, "the axis");
  if (axes.size() != 1) n.contradiction("has " + std::to_string(axes.size()) + " axes");
  CumulativeSum op{n.axis(axes[0], n.rank(x)), n.integer("exclusive", 0) != 0, n.integer("reverse", 0) != 0};
  n.output(0, n.emit(Loops{op}, {x}, n.type(x), n.shape(x)));
}

void top_k(NodeLowering& n) {
  const ValueId x = n.input(0);
  const int axis = n.axis(n.integer("axis", -1), n.rank(x));
  const auto ks = n.opset() < 10 ? std::vector<std::int64_t>{n.integer("k", 0)} : n.integers(1, "the count");
  Shape shape = n.shape(x);
  std::int64_t& extent = shape[static_cast<std::size_t>(axis)];
  if (ks.size() != 1 || ks[0] < 0 || ks[0] > extent)
    n.contradiction("asks for the best " + to_text(ks) + " of " + std::to_string(extent));
  extent = ks[0];
  const TopPositions op{axis, n.integer("largest", 1) != 0};
  const ValueId positions = n.emit(Loops{op}, {x}, ElementType::i64, shape);
  n.output(0, n.emit(Loops{GatherIndexed{axis, true, true}}, {x, positions}, n.type(x), shape));
  n.output(1, positions);
}

void reverse_sequence(NodeLowering& n) {
  const ValueId x = n.input(0), lengths = n.input(1);
  integers_only(n, lengths);
  const ReverseSequence op{n.axis(n.integer("batch_axis", 1), n.rank(x)), n.axis(n.integer("time_axis", 0), n.rank(x))};
  if (op.batch_axis == op.time_axis || n.shape(lengths) != Shape{n.shape(x)[static_cast<std::size_t>(op.batch_axis)]})
    n.contradiction("has lengths of shape " + to_text(n.shape(lengths)) + " for " + to_text(n.shape(x)));
  n.output(0, n.emit(Loops{op}, {x, lengths}, n.type(x), n.shape(x)));
}

/// The maxima go back to where they came from, into zeros; a larger output_shape pads that at its end.
void max_unpool(NodeLowering& n) {
  const ValueId x = n.input(0), indices = n.input(1);
  integers_only(n, indices);
  const auto kernel = n.list("kernel_shape");
  const std::size_t spatial = kernel.size();
  const auto strides = n.list("strides", Shape(spatial, 1)), pads = n.list("pads", Shape(2 * spatial, 0));
  if (n.shape(x).size() != spatial + 2 || n.shape(indices) != n.shape(x) || strides.size() != spatial ||
      pads.size() != 2 * spatial)
    n.contradiction("has inputs of " + to_text(n.shape(x)) + " and " + to_text(n.shape(indices)) + " for a kernel of " +
                    to_text(kernel));
  Shape shape = n.shape(x);
  for (std::size_t k = 0; k < spatial; ++k) {
    shape[2 + k] = (shape[2 + k] - 1) * strides[k] + kernel[k] - pads[k] - pads[spatial + k];
    if (shape[2 + k] < 1 || shape[2 + k] > (1 << 24)) n.contradiction("makes " + to_text(shape));
  }
  const std::int64_t count = element_count(shape), values = element_count(n.shape(x));
  const ValueId zeros = n.add_constant(Array(n.type(x), {count}));
  ValueId y = n.emit(Loops{ScatterElements{0, Combine::replace}},
                     {zeros, n.emit_alias(indices, {values}), n.emit_alias(x, {values})}, n.type(x), {count});
  y = n.emit_alias(y, shape);
  if (n.has_input(2)) {
    const auto asked = n.integers(2, "the output's shape");
    if (asked.size() != shape.size()) n.contradiction("asks for the shape " + to_text(asked));
    Copy pad = same_axes(n.rank(y));
    for (std::size_t k = 0; k < asked.size(); ++k) {
      if (asked[k] < shape[k] || asked[k] > (1 << 24))
        n.contradiction("brings " + to_text(shape) + " to " + to_text(asked));
      for (std::int64_t i = 0; i < asked[k] && asked[k] != shape[k]; ++i)
        pad.tables[k].push_back(static_cast<std::int32_t>(i < shape[k] ? i : -1));
    }
    y = n.emit_copy(std::move(pad), y, asked);
  }
  n.output(0, y);
}

/// What follows gives a tensor whose extent its data decide: the data must be known when the network is planned.
void non_zero(NodeLowering& n) {
  const Array& x = n.constant(0, "what is not zero");
  const Shape strides = dense_strides(x.shape());
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < x.count(); ++i)
    if (x.real(i) != 0.0) found.push_back(i);
  const std::size_t rank = std::max<std::size_t>(1, x.shape().size());
  Array out(ElementType::i64, {static_cast<std::int64_t>(rank), static_cast<std::int64_t>(found.size())});
  for (std::size_t k = 0; k < rank; ++k)
    for (std::size_t i = 0; i < found.size(); ++i)
      out.set_integer(static_cast<std::int64_t>(k * found.size() + i),
                      x.shape().empty() ? 0 : found[i] / strides[k] % x.shape()[k]);
  n.output(0, n.add_constant(std::move(out)));
}

void compress(NodeLowering& n) {
  ValueId x = n.input(0);
  const Array keep = n.constant(1, "what is kept");  // a copy: what is emitted below moves the graph's values
  int axis = 0;
  if (n.has_attribute("axis"))
    axis = n.axis(n.integer("axis", 0), n.rank(x));
  else
    x = n.emit_alias(x, Shape{element_count(n.shape(x))});
  Shape shape = n.shape(x);
  const auto k = static_cast<std::size_t>(axis);
  if (keep.shape().size() != 1 || keep.count() > shape[k])
    n.contradiction("keeps by " + to_text(keep.shape()) + " conditions of " + to_text(shape));
  Copy copy = same_axes(n.rank(x));
  for (std::int64_t i = 0; i < keep.count(); ++i)
    if (keep.integer(i) != 0) copy.tables[k].push_back(static_cast<std::int32_t>(i));
  shape[k] = static_cast<std::int64_t>(copy.tables[k].size());
  n.output(0, n.emit_copy(std::move(copy), x, std::move(shape)));
}

/// The different slices along an axis, or elements of the flattened tensor, by their first position.
void unique(NodeLowering& n) {
  const bool flat = !n.has_attribute("axis");
  const Array& given = n.constant(0, "what is unique");
  const Array x = flat ? given.reshaped({given.count()}) : given;
  const auto axis = static_cast<std::size_t>(flat ? 0 : n.axis(n.integer("axis", 0), n.rank(n.input(0))));
  const Shape shape = x.shape(), strides = dense_strides(shape);
  const std::int64_t extent = shape[axis], inner = strides[axis], size = extent == 0 ? 0 : x.count() / extent;
  const auto element = [&](std::int64_t slice, std::int64_t i) {
    return x.real(i / inner * inner * extent + slice * inner + i % inner);
  };
  const auto compare = [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t i = 0; i < size; ++i)
      if (const double va = element(a, i), vb = element(b, i); va != vb) return va < vb ? -1 : 1;
    return 0;
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(extent)), first, counts, inverse(order.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return compare(a, b) < 0; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) {
      first.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(first.size()) - 1;
  }
  if (n.integer("sorted", 1) == 0) {  // by first position
    std::vector<std::size_t> by(first.size());
    std::iota(by.begin(), by.end(), std::size_t{0});
    std::sort(by.begin(), by.end(), [&](auto a, auto b) { return first[a] < first[b]; });
    std::vector<std::int64_t> rank(by.size()), f, c;
    for (std::size_t i = 0; i < by.size(); ++i) {
      rank[by[i]] = static_cast<std::int64_t>(i);
      f.push_back(first[by[i]]);
      c.push_back(counts[by[i]]);
    }
    for (auto& i : inverse) i = rank[static_cast<std::size_t>(i)];
    first = f;
    counts = c;
  }
  Copy copy = same_axes(static_cast<int>(shape.size()));
  for (const std::int64_t i : first) copy.tables[axis].push_back(static_cast<std::int32_t>(i));
  Shape out = shape;
  out[axis] = static_cast<std::int64_t>(first.size());
  n.output(0, n.emit_copy(std::move(copy), n.add_constant(x), std::move(out)));
  n.output(1, n.add_constant(Array::of(first)));
  n.output(2, n.add_constant(Array::of(inverse)));
  n.output(3, n.add_constant(Array::of(counts)));
}

constexpr OperatorRow rows[] = {{"Compress", compress},
                                {"CumSum", cumulative_sum},
                                {"GatherElements", gather_elements},
                                {"GatherND", gather_nd},
                                {"MaxUnpool", max_unpool},
                                {"NonZero", non_zero},
                                {"ReverseSequence", reverse_sequence},
                                {"Scatter", scatter_elements},
                                {"ScatterElements", scatter_elements},
                                {"ScatterND", scatter_nd},
                                {"TopK", top_k},
                                {"Unique", unique}};

}  // namespace

std::span<const OperatorRow> indexing_operators() { return rows; }

}  // namespace isocenter::infer
