#include "infer/cuda/cudnn_operation.hpp"

#include <algorithm>

namespace isocenter::infer {
namespace {

using Kind = CudnnOperation::Kind;

/// A value as it lies, with a second spatial axis where it has one alone.
CudnnTensor spatial_tensor(const Schedule& s, ValueId id) {
  const Placement& p = s.placement(id);
  CudnnTensor t{s.graph.value(id).shape, p.strides, p.storage};
  if (t.shape.size() == 3) {
    t.shape.insert(t.shape.begin() + 2, 1);
    t.strides.insert(t.strides.begin() + 2, t.strides[2] * t.shape[3]);
  }
  // Where channels or pixels are one, a value's layout is open: cuDNN wants it said as channels last.
  if (t.shape[1] == 1) t.strides[1] = 1;
  return t;
}

CudnnTensor dense_tensor(Shape shape, ElementType type) {
  Shape strides = dense_strides(shape);
  return {std::move(shape), std::move(strides), type};
}

/// Pixels without a gap between them.
bool is_packed(const CudnnTensor& t) { return t.strides == strides_of(t.shape, Layout::channels_last); }

std::optional<CudnnOperation> of_normalisation(const Schedule& s, const Node& node, const Normalisation& norm) {
  CudnnOperation op;
  op.factor = norm.epsilon;
  op.then = norm.then;
  CudnnTensor x = spatial_tensor(s, node.inputs[0]), y = spatial_tensor(s, node.output);
  const std::int64_t channels = x.shape[1];
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < x.shape.size(); ++k) pixels *= x.shape[k];
  if (norm.groups == 1 && pixels == 1) {
    for (const CudnnTensor* t : {&x, &y})  // rows of a concatenation are farther apart
      if (t->shape[0] > 1 && t->strides[0] != channels) return std::nullopt;
    op.kind = Kind::layer_norm;
    for (CudnnTensor* t : {&x, &y}) *t = {{x.shape[0], channels, 1, 1}, {channels, 1, channels, channels}, t->type};
  } else if (norm.groups == channels && pixels > 1 && is_packed(x) && is_packed(y)) {
    op.kind = Kind::instance_norm;
  } else {
    return std::nullopt;
  }
  Shape by_channel(x.shape.size(), 1);
  by_channel[1] = channels;
  const CudnnTensor parameter{by_channel, strides_of(by_channel, Layout::channels_last), ElementType::f32};
  op.inputs = {std::move(x), parameter, parameter};
  op.output = std::move(y);
  return op;
}

std::optional<CudnnOperation> of_pool(const Schedule& s, const Node& node, const Pool& pool) {
  CudnnOperation op;
  op.kind = Kind::pool;
  op.pool = pool;
  op.inputs = {spatial_tensor(s, node.inputs[0])};
  op.output = spatial_tensor(s, node.output);
  Window& w = op.pool.window;
  if (w.kernel.size() == 1) {
    for (Shape* v : {&w.kernel, &w.strides, &w.dilations}) v->insert(v->begin(), 1);
    for (Shape* v : {&w.pads_begin, &w.pads_end}) v->insert(v->begin(), 0);
  }
  if (std::any_of(w.dilations.begin(), w.dilations.end(), [](std::int64_t d) { return d != 1; })) return std::nullopt;
  for (std::size_t k = 0; k < w.kernel.size(); ++k) {
    // The padding that the windows reach: less than is there, or more where the last one was rounded up.
    const std::int64_t reached =
        (op.output.shape[2 + k] - 1) * w.strides[k] + w.kernel[k] - op.inputs[0].shape[2 + k] - w.pads_begin[k];
    if (pool.count_pads && reached > w.pads_end[k]) return std::nullopt;
    w.pads_end[k] = std::max<std::int64_t>(reached, 0);
  }
  return op;
}

/// Factors with the same leading axes: a batch of matrices. One with none beside it that has some is left to us.
std::optional<CudnnOperation> of_product(const Schedule& s, const Node& node, const MatrixProduct& product) {
  const Graph& g = s.graph;
  const Shape &a = g.value(node.inputs[0]).shape, &b = g.value(node.inputs[1]).shape, &y = g.value(node.output).shape;
  if (product.bias || a.size() < 2 || a.size() != b.size() || !std::equal(a.begin(), a.end() - 2, b.begin()))
    return std::nullopt;
  if (g.value(node.inputs[0]).constant || g.value(node.inputs[1]).constant) return std::nullopt;
  const ElementType type = s.placement(node.inputs[0]).storage;
  if (s.placement(node.inputs[1]).storage != type) return std::nullopt;
  std::int64_t batch = 1;
  for (std::size_t k = 0; k + 2 < a.size(); ++k) batch *= a[k];
  const auto factor = [&](const Shape& f, bool transposed) {
    const std::int64_t rows = f[f.size() - 2], columns = f.back();
    if (transposed) return CudnnTensor{{batch, columns, rows}, {rows * columns, 1, columns}, type};
    return CudnnTensor{{batch, rows, columns}, {rows * columns, columns, 1}, type};
  };
  CudnnOperation op;
  op.kind = Kind::product;
  op.inputs = {factor(a, product.transpose_a), factor(b, product.transpose_b)};
  op.output = dense_tensor({batch, y[y.size() - 2], y.back()}, s.placement(node.output).storage);
  return op;
}

/// In 16 bits: in float32 cuDNN would round the factors to TF32.
std::optional<CudnnOperation> of_attention(const Schedule& s, const Node& node, const Attention& attention) {
  const ElementType type = s.placement(node.inputs[0]).storage;
  if (!is_narrow(type)) return std::nullopt;
  CudnnOperation op;
  op.kind = Kind::attention;
  op.factor = attention.scale;
  for (const ValueId id : node.inputs) op.inputs.push_back(dense_tensor(s.graph.value(id).shape, type));
  op.output = dense_tensor(s.graph.value(node.output).shape, type);
  return op;
}

}  // namespace

std::optional<CudnnOperation> cudnn_operation(const Schedule& s, const Node& node) {
  if (!has_kernel(s.graph, node)) return std::nullopt;
  if (const auto* norm = std::get_if<Normalisation>(&node.operation)) return of_normalisation(s, node, *norm);
  if (const auto* pool = std::get_if<Pool>(&node.operation)) return of_pool(s, node, *pool);
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation)) return of_product(s, node, *product);
  if (const auto* attention = std::get_if<Attention>(&node.operation)) return of_attention(s, node, *attention);
  return std::nullopt;
}

}  // namespace isocenter::infer
