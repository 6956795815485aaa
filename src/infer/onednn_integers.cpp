#include "infer/onednn_integers.hpp"

#include <algorithm>

#include "infer/integers.hpp"
#include "infer/narrow_weights.hpp"
#include "infer/onednn_common.hpp"
#include "infer/onednn_steps.hpp"

namespace isocenter::infer {
namespace {

using namespace onednn;

ElementType storage_of(const Quantised& grid) { return grid.is_signed ? ElementType::i8 : ElementType::u8; }

/// What a product multiplies and gives.
struct Grids {
  Quantised in, out;           ///< out: none where the result is real
  std::vector<float> weights;  ///< by output channel
  int mask = 0;                ///< the weights' axes that these scales follow
};

/// An activation between the sum and the output's grid that does not commute with its scale.
bool is_curved(const Activation& then) {
  const Function f = then.function;
  return f != Function::identity && f != Function::relu && f != Function::leaky_relu;
}

/// oneDNN 2 takes one factor for each channel, after the bias and before the activation, and one behind it; 3 takes the
/// three scales as they are, at run time.
dnnl::primitive_attr attributes_of(const Activation& then, bool add_to_output, const Grids& grids) {
  const float out = grids.out.none() ? 1.0F : grids.out.scale;
  const bool behind = is_curved(then);
  dnnl::primitive_attr attr = attributes(then, add_to_output, behind ? 1.0F / out : 1.0F);
#if DNNL_VERSION_MAJOR >= 3
  attr.set_scales_mask(DNNL_ARG_SRC, 0);
  attr.set_scales_mask(DNNL_ARG_WEIGHTS, grids.mask);
  if (!grids.out.none()) attr.set_scales_mask(DNNL_ARG_DST, 0);
  if (grids.in.zero != 0) attr.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (grids.out.zero != 0) attr.set_zero_points_mask(DNNL_ARG_DST, 0);
#else
  std::vector<float> factors = grids.weights;
  for (float& factor : factors) factor *= grids.in.scale / (behind ? 1.0F : out);
  attr.set_output_scales(1 << 1, factors);
  if (grids.in.zero != 0) attr.set_zero_points(DNNL_ARG_SRC, 0, {grids.in.zero});
  if (grids.out.zero != 0) attr.set_zero_points(DNNL_ARG_DST, 0, {grids.out.zero});
#endif
  return attr;
}

#if DNNL_VERSION_MAJOR >= 3
void add_grids(StepBuilder& b, const Grids& grids, std::vector<Argument>& arguments) {
  const auto add_scales = [&](int argument, const std::vector<float>& scales) {
    arguments.push_back({DNNL_ARG_ATTR_SCALES | argument,
                         {{static_cast<std::int64_t>(scales.size())}, memory::data_type::f32, Tag::a},
                         b.constants.add(scales)});
  };
  add_scales(DNNL_ARG_SRC, {grids.in.scale});
  add_scales(DNNL_ARG_WEIGHTS, grids.weights);
  if (!grids.out.none()) add_scales(DNNL_ARG_DST, {grids.out.scale});
  const auto add_zero = [&](int argument, std::int32_t zero) {
    if (zero == 0) return;
    arguments.push_back({DNNL_ARG_ATTR_ZERO_POINTS | argument,
                         {{1}, memory::data_type::s32, Tag::a},
                         b.constants.add(std::vector<std::int32_t>{zero})});
  };
  add_zero(DNNL_ARG_SRC, grids.in.zero);
  add_zero(DNNL_ARG_DST, grids.out.zero);
}
#endif

/// In the unit of the sums for oneDNN 2, real for 3.
std::vector<float> bias_of(const Graph& graph, const Node& node, const Grids& grids) {
  std::vector<float> bias(grids.weights.size());
  std::copy_n(graph.value(node.inputs[2]).constant->as<float>(), bias.size(), bias.begin());
#if DNNL_VERSION_MAJOR < 3
  for (std::size_t o = 0; o < bias.size(); ++o) bias[o] /= grids.in.scale * grids.weights[o];
#endif
  return bias;
}

dnnl::convolution_forward::primitive_desc plan(const Graph& graph, const Node& node, const Convolution& conv,
                                               ElementType y, const Grids& grids) {
  const Shapes shapes = shapes_of(graph, node, conv, storage_of(grids.in), memory::data_type::s8, y);
  return describe<dnnl::convolution_forward>(dnnl::algorithm::convolution_direct, shapes,
                                             attributes_of(conv.then, conv.residual, grids));
}

/// All rows of the first factor as one matrix.
dnnl::matmul::primitive_desc plan(const Graph& graph, const Node& node, const MatrixProduct& product, ElementType y,
                                  const Grids& grids) {
  const Shape &x = graph.value(node.inputs[0]).shape, &out = graph.value(node.output).shape;
  const std::int64_t terms = x.back(), columns = out.back(), rows = element_count(x) / terms;
  memory::desc bias;
  if (product.bias) bias = memory::desc({1, columns}, memory::data_type::f32, Tag::ab);
  return describe_product(matrix({rows, terms}, 2, false, storage_of(grids.in)),
                          memory::desc({terms, columns}, memory::data_type::s8, Tag::any), bias,
                          matrix({rows, columns}, 2, false, y), attributes_of(product.then, product.residual, grids));
}

dnnl::pooling_forward::primitive_desc plan(const Graph& graph, const Node& node, const Pool& pool,
                                           const Quantised& grid) {
  const Window& w = pool.window;
  if (std::any_of(w.dilations.begin(), w.dilations.end(), [](std::int64_t d) { return d != 1; }) ||
      (pool.kind == Pool::Kind::average && pool.count_pads && grid.zero != 0))
    throw dnnl::error(dnnl_unimplemented, "a pool of another form");
  const dnnl::algorithm algorithm = pool.kind == Pool::Kind::max
                                        ? dnnl::algorithm::pooling_max
                                        : (pool.count_pads ? dnnl::algorithm::pooling_avg_include_padding
                                                           : dnnl::algorithm::pooling_avg_exclude_padding);
  const memory::desc x = channels_last(graph.value(node.inputs[0]).shape, storage_of(grid)),
                     y = channels_last(graph.value(node.output).shape, storage_of(grid));
  const dnnl::primitive_attr attr = attributes({}, false);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(),
          dnnl::prop_kind::forward_inference,
          algorithm,
          x,
          y,
          to_dims(w.strides),
          to_dims(w.kernel),
          memory::dims(w.kernel.size()),
          to_dims(w.pads_begin),
          to_dims(w.pads_end),
          attr};
#else
  return {{dnnl::prop_kind::forward_inference, algorithm, x, y, to_dims(w.strides), to_dims(w.kernel),
           to_dims(w.pads_begin), to_dims(w.pads_end)},
          attr,
          cpu_engine()};
#endif
}

template <class Description>
bool is_fast(const Description& pd) {
  return std::string(pd.impl_info_str()).find("ref") == std::string::npos;
}

int mask_of(const Node& node) {
  const auto* conv = std::get_if<Convolution>(&node.operation);
  return conv == nullptr ? 1 << 1 : (conv->groups > 1 ? 3 : 1);
}

/// A convolution or matrix product: weights are the node's second input, a bias its third.
template <class Primitive, class Operation>
void add_product(StepBuilder& b, int node_index, const Node& node, const Operation& operation,
                 const memory::desc& given) {
  const Graph& graph = b.schedule.graph;
  const Placement to = b.schedule.placement(node.output);
  const NarrowWeights narrow = quantise(graph.value(node.inputs[1]), output_axis(node));
  const Grids grids{operation.in, to.held, narrow.scales, mask_of(node)};
  const auto pd = plan(graph, node, operation, to.storage, grids);
  std::vector<Argument> arguments{
      {DNNL_ARG_SRC, pd.src_desc(), b.slot(node.inputs[0])},
      {DNNL_ARG_WEIGHTS, pd.weights_desc(), prepare(b, narrow.values, given, pd.weights_desc())},
      {DNNL_ARG_DST, pd.dst_desc(), b.slot(node.output)}};
  if (operation.bias)
    arguments.push_back({DNNL_ARG_BIAS, pd.bias_desc(), b.constants.add(bias_of(graph, node, grids))});
#if DNNL_VERSION_MAJOR >= 3
  add_grids(b, grids, arguments);
#endif
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  add_step(b, Primitive(pd), std::move(arguments));
}

void add(StepBuilder& b, int node_index, const Node& node, const Convolution& conv) {
  const memory::desc given = onnx_weights(conv, b.schedule.graph.value(node.inputs[1]).shape, memory::data_type::s8);
  if (conv.residual) add_residual(b, node.inputs.back(), node.output);
  add_product<dnnl::convolution_forward>(b, node_index, node, conv, given);
}

void add(StepBuilder& b, int node_index, const Node& node, const MatrixProduct& product) {
  const memory::desc given =
      matrix(b.schedule.graph.value(node.inputs[1]).shape, 2, product.transpose_b, ElementType::i8);
  if (product.residual) add_residual(b, node.inputs.back(), node.output);
  add_product<dnnl::matmul>(b, node_index, node, product, given);
}

}  // namespace

bool add_integer_primitive(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (const auto* conv = std::get_if<Convolution>(&node.operation); conv != nullptr && !conv->in.none()) {
    add(b, node_index, node, *conv);
    return true;
  }
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation); product != nullptr && !product->in.none()) {
    add(b, node_index, node, *product);
    return true;
  }
  const auto* pool = std::get_if<Pool>(&node.operation);
  const Quantised grid = b.schedule.placement(node.output).held;
  if (pool == nullptr || grid.none()) return false;
  const auto pd = plan(b.schedule.graph, node, *pool, grid);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, pd.src_desc(), b.slot(node.inputs[0])},
                                  {DNNL_ARG_DST, pd.dst_desc(), b.slot(node.output)}};
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  add_step(b, dnnl::pooling_forward(pd), std::move(arguments));
  return true;
}

bool onednn_plans_integers(const Graph& graph, const Node& node, const Quantised& out) {
  const ElementType y = out.none() ? ElementType::f32 : storage_of(out);
  try {
    if (const auto* pool = std::get_if<Pool>(&node.operation)) return is_fast(plan(graph, node, *pool, out));
    const Quantised in = product_grid(node);
    const Shape& weights = graph.value(node.inputs[1]).shape;
    const auto outs = static_cast<std::size_t>(weights[static_cast<std::size_t>(output_axis(node))]);
    const Grids grids{in, out, std::vector<float>(outs, 0.5F), mask_of(node)};
    if (const auto* conv = std::get_if<Convolution>(&node.operation))
      return is_fast(plan(graph, node, *conv, y, grids));
    return is_fast(plan(graph, node, std::get<MatrixProduct>(node.operation), y, grids));
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_unimplemented || e.status == dnnl_invalid_arguments) return false;
    throw;
  }
}

}  // namespace isocenter::infer
