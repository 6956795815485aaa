// Reductions, softmax, matrix products, layer normalisation.
#include <algorithm>
#include <numeric>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {
using Kind = Reduction::Kind;
}

ValueId reduce(NodeLowering& n, ValueId x, Kind kind, std::vector<int> axes, bool last_index) {
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  if (axes.empty()) return x;
  Shape shape = n.shape(x);
  for (const int a : axes) shape[static_cast<std::size_t>(a)] = 1;
  const bool index = kind == Kind::arg_max || kind == Kind::arg_min;
  const ElementType type = index ? ElementType::i64 : n.type(x);
  return n.emit(Reduction{kind, std::move(axes), last_index}, {x}, type, std::move(shape));
}

ValueId product(NodeLowering& n, ValueId a, ValueId b, bool transpose_a, bool transpose_b, ValueId bias) {
  const Shape sa = n.shape(a), sb = n.shape(b);
  const auto rows = [](const Shape& s, bool t) { return s[s.size() - (t ? 1 : 2)]; };
  const auto columns = [](const Shape& s, bool t) { return s[s.size() - (t ? 2 : 1)]; };
  Shape shape;
  if (columns(sa, transpose_a) != rows(sb, transpose_b) ||
      !broadcast(Shape(sa.begin(), sa.end() - 2), Shape(sb.begin(), sb.end() - 2), shape))
    n.contradiction("multiplies " + to_text(sa) + " with " + to_text(sb));
  shape.push_back(rows(sa, transpose_a));
  shape.push_back(columns(sb, transpose_b));
  std::vector<ValueId> inputs{a, b};
  if (bias != no_value) inputs.push_back(bias);
  return n.emit(MatrixProduct{transpose_a, transpose_b, bias != no_value}, std::move(inputs), n.type(a),
                std::move(shape));
}

namespace {

ValueId drop_axes(NodeLowering& n, ValueId x, const std::vector<int>& axes) {
  Shape shape;
  for (int i = 0; i < n.rank(x); ++i)
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) shape.push_back(n.shape(x)[static_cast<std::size_t>(i)]);
  return n.emit_alias(x, shape);
}

/// ReduceX: axes are an input from opset 18 on (ReduceSum: 13).
template <Kind kind>
std::pair<ValueId, std::vector<int>> reduce_axes(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<int> axes;
  for (const std::int64_t a :
       n.list_input_or_attribute(kind == Kind::sum && n.node().op_type == "ReduceSum" ? 13 : 18, 1, "axes"))
    axes.push_back(n.axis(a, n.rank(x)));
  if (axes.empty() && n.integer("noop_with_empty_axes", 0) == 0) {
    axes.resize(static_cast<std::size_t>(n.rank(x)));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return {x, axes};
}
ValueId finish(NodeLowering& n, ValueId y, const std::vector<int>& axes) {
  return n.integer("keepdims", 1) != 0 ? y : drop_axes(n, y, axes);
}

template <Kind kind>
void plain(NodeLowering& n) {
  const auto [x, axes] = reduce_axes<kind>(n);
  if (axes.empty() && kind != Kind::sum && kind != Kind::mean && kind != Kind::max && kind != Kind::min &&
      kind != Kind::product)
    n.unsupported("reduces no axis", "name the axes");
  n.output(0, finish(n, reduce(n, x, kind, axes), axes));
}
template <Kind kind, Function after>
void then(NodeLowering& n) {
  const auto [x, axes] = reduce_axes<kind>(n);
  const ValueId y =
      axes.empty() && kind == Kind::sum_squares ? n.emit_map(Function::mul, {x, x}) : reduce(n, x, kind, axes);
  n.output(0, finish(n, n.emit_map(after, {y}), axes));
}

template <Kind kind>
void arg(NodeLowering& n) {
  const ValueId x = n.input(0);
  const std::vector<int> axes{n.axis(n.integer("axis", 0), n.rank(x))};
  n.output(0, finish(n, reduce(n, x, kind, axes, n.integer("select_last_index", 0) != 0), axes));
}

template <Kind kind>
void global_pool(NodeLowering& n) {
  const ValueId x = n.input(0);
  std::vector<int> axes;
  for (int i = 2; i < n.rank(x); ++i) axes.push_back(i);
  n.output(0, reduce(n, x, kind, axes));
}

template <bool logarithm>
void softmax(NodeLowering& n) {
  const ValueId x = n.input(0);
  const bool flattens = n.opset() < 13;  // the axes from `axis` on are one
  const int axis = n.axis(n.integer("axis", flattens ? 1 : -1), n.rank(x));
  const Shape shape = n.shape(x);
  if (!flattens || axis == n.rank(x) - 1) return n.output(0, n.emit(Softmax{axis, logarithm}, {x}, n.type(x), shape));
  Shape flat{1, 1};
  for (int i = 0; i < n.rank(x); ++i) flat[i < axis ? 0 : 1] *= shape[static_cast<std::size_t>(i)];
  const ValueId y = n.emit(Softmax{1, logarithm}, {n.emit_alias(x, flat)}, n.type(x), flat);
  n.output(0, n.emit_alias(y, shape));
}

void matmul(NodeLowering& n) {
  ValueId a = n.input(0), b = n.input(1);
  const bool vector_a = n.rank(a) == 1, vector_b = n.rank(b) == 1;
  if (n.rank(a) == 0 || n.rank(b) == 0) n.contradiction("multiplies a scalar");
  if (vector_a) a = n.emit_alias(a, {1, n.shape(a)[0]});
  if (vector_b) b = n.emit_alias(b, {n.shape(b)[0], 1});
  ValueId y = product(n, a, b, false, false, no_value);
  Shape shape = n.shape(y);
  if (vector_b) shape.pop_back();
  if (vector_a) shape.erase(shape.end() - (vector_b ? 1 : 2));
  n.output(0, n.emit_alias(y, shape));
}

void gemm(NodeLowering& n) {
  const ValueId a = n.input(0);
  ValueId b = n.input(1);
  if (n.rank(a) != 2 || n.rank(b) != 2)
    n.contradiction("multiplies " + to_text(n.shape(a)) + " with " + to_text(n.shape(b)));
  const auto scaled = [&](ValueId v, float factor) {
    return factor == 1.0F
               ? v
               : n.emit_map(Function::mul, {v, n.add_constant(Array::scalar(n.type(v), static_cast<double>(factor)))});
  };
  b = scaled(b, n.real("alpha", 1.0F));
  const bool transpose_a = n.integer("transA", 0) != 0, transpose_b = n.integer("transB", 0) != 0;
  const std::int64_t columns = n.shape(b)[transpose_b ? 0 : 1];
  ValueId c = n.has_input(2) ? scaled(n.input(2), n.real("beta", 1.0F)) : no_value;
  const bool is_bias = c != no_value && (n.shape(c) == Shape{columns} || n.shape(c) == Shape{1, columns});
  const ValueId y = product(n, a, b, transpose_a, transpose_b, is_bias ? c : no_value);
  n.output(0, is_bias || c == no_value ? y : n.emit_map(Function::add, {y, c}));
}

/// Mean and variance over the axes from `axis` on, then scale and bias.
void layer_normalization(NodeLowering& n) {
  const ValueId x = n.input(0);
  const int axis = n.axis(n.integer("axis", -1), n.rank(x));
  std::vector<int> axes;
  for (int i = axis; i < n.rank(x); ++i) axes.push_back(i);
  const ValueId mean = reduce(n, x, Kind::mean, axes);
  const ValueId centred = n.emit_map(Function::sub, {x, mean});
  const ValueId variance = reduce(n, n.emit_map(Function::mul, {centred, centred}), Kind::mean, axes);
  const ValueId epsilon = n.add_constant(Array::scalar(n.type(x), static_cast<double>(n.real("epsilon", 1e-5F))));
  const ValueId factor =
      n.emit_map(Function::reciprocal, {n.emit_map(Function::sqrt, {n.emit_map(Function::add, {variance, epsilon})})});
  ValueId y = n.emit_map(Function::mul, {n.emit_map(Function::mul, {centred, factor}), n.input(1)});
  if (n.has_input(2)) y = n.emit_map(Function::add, {y, n.input(2)});
  n.output(0, y);
  n.output(1, mean);
  n.output(2, factor);
}

constexpr OperatorRow rows[] = {{"ArgMax", arg<Kind::arg_max>},
                                {"ArgMin", arg<Kind::arg_min>},
                                {"Gemm", gemm},
                                {"GlobalAveragePool", global_pool<Kind::mean>},
                                {"GlobalMaxPool", global_pool<Kind::max>},
                                {"LayerNormalization", layer_normalization},
                                {"LogSoftmax", softmax<true>},
                                {"MatMul", matmul},
                                {"ReduceL1", plain<Kind::sum_abs>},
                                {"ReduceL2", then<Kind::sum_squares, Function::sqrt>},
                                {"ReduceLogSum", then<Kind::sum, Function::log>},
                                {"ReduceLogSumExp", plain<Kind::log_sum_exp>},
                                {"ReduceMax", plain<Kind::max>},
                                {"ReduceMean", plain<Kind::mean>},
                                {"ReduceMin", plain<Kind::min>},
                                {"ReduceProd", plain<Kind::product>},
                                {"ReduceSum", plain<Kind::sum>},
                                {"ReduceSumSquare", plain<Kind::sum_squares>},
                                {"Softmax", softmax<false>}};

}  // namespace

std::span<const OperatorRow> reduction_operators() { return rows; }

}  // namespace isocenter::infer
