#include "infer/onednn_steps.hpp"

#include <array>

#include "infer/onednn_common.hpp"
#include "infer/onednn_integers.hpp"

namespace isocenter::infer {
namespace {

using namespace onednn;

template <class Primitive>
void add_convolution(StepBuilder& b, int node_index, const Node& node, const Convolution& conv, const Shapes& shapes,
                     dnnl::algorithm algorithm) {
  const auto pd = describe<Primitive>(algorithm, shapes, attributes(conv.then, conv.residual));
  const Array& weights = *b.schedule.graph.value(node.inputs[1]).constant;
  std::vector<Argument> arguments{{DNNL_ARG_SRC, pd.src_desc(), b.slot(node.inputs[0])},
                                  {DNNL_ARG_WEIGHTS, pd.weights_desc(),
                                   prepare(b, weights, onnx_weights(conv, weights.shape()), pd.weights_desc())},
                                  {DNNL_ARG_DST, pd.dst_desc(), b.slot(node.output)}};
  if (conv.bias) arguments.push_back({DNNL_ARG_BIAS, pd.bias_desc(), b.slot(node.inputs[2])});
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  if (conv.residual) add_residual(b, node.inputs.back(), node.output);
  add_step(b, Primitive(pd), std::move(arguments));
}

/// A transposed convolution whose taps do not overlap is a matrix product for each tap, which writes every stride-th
/// pixel: faster than oneDNN's own, and the output may be some of the channels of a wider array.
void add_upsampling(StepBuilder& b, int node_index, const Node& node, const Convolution& conv) {
  const Graph& g = b.schedule.graph;
  const Shape &x = g.value(node.inputs[0]).shape, &y = g.value(node.output).shape;
  const Placement &from = b.schedule.placement(node.inputs[0]), &to = b.schedule.placement(node.output);
  std::array<std::int64_t, 3> in{1, 1, 1}, step{1, 1, 1}, out{};  // slices, rows, columns; strides of the output
  for (std::size_t k = 2; k < x.size(); ++k) {
    in[k + 3 - x.size()] = x[k];
    step[k + 3 - x.size()] = conv.window.strides[k - 2];
  }
  out[2] = to.layout == Layout::channels_last ? to.strides.back() : y[1];
  out[1] = out[2] * in[2] * step[2];
  out[0] = out[1] * in[1] * step[1];
  const std::int64_t ins = x[1], outs = y[1], taps = step[0] * step[1] * step[2];
  const memory::desc source({x[0] * in[0], in[1], in[2], ins}, type_of(from.storage),
                            memory::dims{in[1] * in[2] * ins, in[2] * ins, ins, 1});
  const memory::desc target({x[0] * in[0], in[1], in[2], outs}, type_of(to.storage),
                            memory::dims{out[0] * step[0], out[1] * step[1], out[2] * step[2], 1});
  const memory::desc any({1, 1, ins, outs}, type_of(from.storage), Tag::any);
  memory::desc bias;
  if (conv.bias) bias = memory::desc({1, 1, 1, outs}, memory::data_type::f32, memory::dims{outs, outs, outs, 1});
  const auto pd = describe_product(source, any, bias, target, attributes(conv.then, false));
  const memory::desc given({1, 1, ins, outs}, memory::data_type::f32, memory::dims{ins * outs, ins * outs, outs, 1});
  const Array& weights = *g.value(node.inputs[1]).constant;
  Array one(ElementType::f32, {ins, outs});
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t i = 0; i < one.count(); ++i) one.mutable_as<float>()[i] = weights.as<float>()[i * taps + tap];
    Slot corner = b.slot(node.output);
    corner.offset += bytes_of(to.storage) *
                     (tap / (step[1] * step[2]) * out[0] + tap / step[2] % step[1] * out[1] + tap % step[2] * out[2]);
    std::vector<Argument> arguments{{DNNL_ARG_SRC, source, b.slot(node.inputs[0])},
                                    {DNNL_ARG_WEIGHTS, pd.weights_desc(), prepare(b, one, given, pd.weights_desc())},
                                    {DNNL_ARG_DST, target, corner}};
    if (conv.bias) arguments.push_back({DNNL_ARG_BIAS, bias, b.slot(node.inputs[2])});
    add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
    add_step(b, dnnl::matmul(pd), std::move(arguments));
  }
}

void add_convolution(StepBuilder& b, int node_index, const Node& node, const Convolution& conv) {
  if (is_upsampling(b.schedule.graph, node)) return add_upsampling(b, node_index, node, conv);
  const ElementType x = b.schedule.placement(node.inputs[0]).storage;
  const Shapes s = shapes_of(b.schedule.graph, node, conv, x, type_of(x), b.schedule.placement(node.output).storage);
  if (conv.transposed)
    add_convolution<dnnl::deconvolution_forward>(b, node_index, node, conv, s, dnnl::algorithm::deconvolution_direct);
  else
    add_convolution<dnnl::convolution_forward>(b, node_index, node, conv, s, dnnl::algorithm::convolution_direct);
}

/// The factors, each as it lies and, where it is a constant, in the type of the product and the order that oneDNN
/// likes best.
void add_product(StepBuilder& b, int node_index, const Node& node, const MatrixProduct& product) {
  const Graph& g = b.schedule.graph;
  const auto storage = [&](ValueId id) { return b.schedule.placement(id).storage; };
  std::array<bool, 2> fixed{};
  ElementType narrow = ElementType::f32;
  for (std::size_t i = 0; i < 2; ++i) {
    fixed[i] = g.value(node.inputs[i]).constant.has_value();
    if (!fixed[i]) narrow = storage(node.inputs[i]);
  }
  std::array<Shape, 2> factors{g.value(node.inputs[0]).shape, g.value(node.inputs[1]).shape};
  Shape out = g.value(node.output).shape;
  // All rows that meet the same weights are one matrix: oneDNN blocks weights of two axes, not a batch of one.
  if (fixed[1] && factors[1].size() == 2 && factors[0].size() >= 2 && !product.transpose_a) {
    factors[0] = {element_count(factors[0]) / factors[0].back(), factors[0].back()};
    out = {element_count(out) / out.back(), out.back()};
  }
  const std::size_t rank = out.size();
  const std::array<bool, 2> transpose{product.transpose_a, product.transpose_b};
  std::array<memory::desc, 2> given, wanted;
  for (std::size_t i = 0; i < 2; ++i) {
    given[i] = matrix(factors[i], rank, transpose[i], fixed[i] ? ElementType::f32 : narrow);
    wanted[i] = matrix(factors[i], rank, transpose[i], narrow);
  }
  if (fixed[1]) wanted[1] = memory::desc(dims_of(given[1]), type_of(narrow), Tag::any);
  memory::desc bias;
  if (product.bias) {
    Shape dims(rank, 1);
    dims.back() = out.back();
    bias = memory::desc(to_dims(dims), memory::data_type::f32, to_dims(dense_strides(dims)));
  }
  const memory::desc y = matrix(out, rank, false, storage(node.output));
  const auto pd = describe_product(wanted[0], wanted[1], bias, y, attributes(product.then, product.residual));
  wanted[1] = pd.weights_desc();
  std::vector<Argument> arguments{{DNNL_ARG_DST, y, b.slot(node.output)}};
  for (std::size_t i = 0; i < 2; ++i)
    arguments.push_back(
        {i == 0 ? DNNL_ARG_SRC : DNNL_ARG_WEIGHTS, wanted[i],
         fixed[i] ? prepare(b, *g.value(node.inputs[i]).constant, given[i], wanted[i]) : b.slot(node.inputs[i])});
  if (product.bias) arguments.push_back({DNNL_ARG_BIAS, bias, b.slot(node.inputs[2])});
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  if (product.residual) add_residual(b, node.inputs.back(), node.output);
  add_step(b, dnnl::matmul(pd), std::move(arguments));
}

}  // namespace

bool add_onednn_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (!has_kernel(b.schedule.graph, node)) return false;
  try {
    if (add_integer_primitive(b, node_index)) return true;
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) {
      // A transposed convolution that pads its output beyond what its taps reach: oneDNN leaves that rim unwritten.
      for (const std::int64_t p : conv->window.pads_end)
        if (p < 0) return false;
      add_convolution(b, node_index, node, *conv);
      return true;
    }
    if (const auto* product = std::get_if<MatrixProduct>(&node.operation)) {
      add_product(b, node_index, node, *product);
      return true;
    }
  } catch (const dnnl::error& e) {
    const bool integers = !b.schedule.placement(node.inputs[0]).held.none();
    if (integers || (e.status != dnnl_unimplemented && e.status != dnnl_invalid_arguments))
      throw Failure(ErrorCode::internal, "oneDNN cannot plan node '" + node.name + "': " + e.message,
                    "report this with the model");
  }
  return false;
}

bool onednn_has_bfloat16() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto needed = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & needed) == needed;
}

bool onednn_has_int8() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto needed = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_vnni);
  return (isa & needed) == needed;
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  const char* runtime =
      v->cpu_runtime == DNNL_RUNTIME_OMP ? "OpenMP" : (v->cpu_runtime == DNNL_RUNTIME_TBB ? "oneTBB" : "one thread");
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) + " (" +
         runtime + ")";
}

}  // namespace isocenter::infer
