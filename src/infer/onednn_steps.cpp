#include "infer/onednn_steps.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <dnnl.hpp>

namespace isocenter::infer {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

dnnl::engine& cpu_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::dims to_dims(const Shape& s) { return memory::dims(s.begin(), s.end()); }

memory::data_type type_of(ElementType storage) {
  if (storage == ElementType::u8) return memory::data_type::u8;
  if (storage == ElementType::i8) return memory::data_type::s8;
  return storage == ElementType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc channels_last(const Shape& shape, ElementType storage) {
  const Tag tag = shape.size() == 3 ? Tag::nwc : (shape.size() == 4 ? Tag::nhwc : Tag::ndhwc);
  return {to_dims(shape), type_of(storage), tag};
}

struct Argument {
  int index;
  memory::desc desc;
  Slot slot;
};

/// One primitive with its arguments. Executed through the C interface, whose argument list is made once: the C++ one
/// builds a map and a vector at every call. (oneDNN itself still makes a small table inside; see docs/infer.)
class OneDnnStep final : public Step {
 public:
  OneDnnStep(dnnl::primitive primitive, std::vector<Argument> arguments)
      : primitive_(std::move(primitive)), stream_(cpu_engine()), arguments_(std::move(arguments)) {
    for (const auto& a : arguments_) memories_.emplace_back(a.desc, cpu_engine(), nullptr);
    for (std::size_t i = 0; i < arguments_.size(); ++i) list_.push_back({arguments_[i].index, memories_[i].get()});
  }
  void bind(const Addresses& addresses) override {
    for (std::size_t i = 0; i < arguments_.size(); ++i)
      memories_[i].set_data_handle(addresses.at<std::byte>(arguments_[i].slot));
  }
  void run(const isocenter::detail::Launcher&) override {
    const dnnl_status_t status =
        dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(list_.size()), list_.data());
    if (status != dnnl_success || dnnl_stream_wait(stream_.get()) != dnnl_success)
      throw Failure(ErrorCode::internal, "oneDNN failed with status " + std::to_string(static_cast<int>(status)),
                    "report this with the model");
  }

 private:
  dnnl::primitive primitive_;
  dnnl::stream stream_;
  std::vector<Argument> arguments_;
  std::vector<memory> memories_;
  std::vector<dnnl_exec_arg_t> list_;
};

void append_activation(dnnl::post_ops& ops, const Activation& a) {
  using A = dnnl::algorithm;
  A algorithm = A::eltwise_relu;
  float alpha = a.alpha, beta = a.beta;
  switch (a.function) {
    case Function::identity:
      return;
    case Function::relu:
      alpha = 0.0F;
      break;
    case Function::leaky_relu:
      break;
    case Function::sigmoid:
      algorithm = A::eltwise_logistic;
      break;
    case Function::tanh:
      algorithm = A::eltwise_tanh;
      break;
    case Function::elu:
      algorithm = A::eltwise_elu;
      break;
    case Function::clip:
      algorithm = A::eltwise_clip;
      break;
    default:
      throw Failure(ErrorCode::internal, "an activation was fused that oneDNN has not", "report this with the model");
  }
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

dnnl::primitive_attr attributes(const Activation& then, bool add_to_output) {
  dnnl::post_ops ops;
  if (add_to_output) ops.append_sum(1.0F);
  append_activation(ops, then);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// The weights as oneDNN sees them, (groups,) out, in, kernel..., over ONNX's memory.
memory::desc onnx_weights(const Convolution& conv, const Shape& w, memory::data_type type = memory::data_type::f32) {
  const Shape strides = dense_strides(w);
  memory::dims dims, steps;
  const std::int64_t g = conv.groups;
  const std::int64_t out_g = conv.transposed ? w[1] : w[0] / g, in_g = conv.transposed ? w[0] / g : w[1];
  const std::int64_t out_step = conv.transposed ? strides[1] : strides[0],
                     in_step = conv.transposed ? strides[0] : strides[1];
  if (g > 1) {
    dims.push_back(g);
    steps.push_back(conv.transposed ? in_g * in_step : out_g * out_step);
  }
  dims.insert(dims.end(), {out_g, in_g});
  steps.insert(steps.end(), {out_step, in_step});
  for (std::size_t k = 2; k < w.size(); ++k) {
    dims.push_back(w[k]);
    steps.push_back(strides[k]);
  }
  return {dims, type, steps};
}

/// Brings a constant into the form a primitive asks for, once.
Slot prepare(StepBuilder& b, const Array& array, const memory::desc& from, const memory::desc& to) {
  if (b.constants.filled()) return b.constants.reserve(to.get_size());
  memory source(from, cpu_engine(), const_cast<std::byte*>(array.data()));
  memory target(to, cpu_engine());
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return b.constants.add(target.get_data_handle(), to.get_size());
}

void add_scratchpad(StepBuilder& b, int node_index, const memory::desc& desc, std::vector<Argument>& arguments) {
  if (desc.get_size() == 0) return;
  const Slot slot{add_scratch(b.schedule, node_index, static_cast<std::int64_t>(desc.get_size())), 0};
  arguments.push_back({DNNL_ARG_SCRATCHPAD, desc, slot});
}

struct Shapes {
  memory::desc x, weights, bias, y;
  memory::dims strides, dilations, begin, end;
};

#if DNNL_VERSION_MAJOR >= 3
template <class Primitive>
typename Primitive::primitive_desc describe(dnnl::algorithm algorithm, const Shapes& s,
                                            const dnnl::primitive_attr& attr) {
  return {cpu_engine(), dnnl::prop_kind::forward_inference,
          algorithm,    s.x,
          s.weights,    s.bias,
          s.y,          s.strides,
          s.dilations,  s.begin,
          s.end,        attr};
}
#else
template <class Primitive>
typename Primitive::primitive_desc describe(dnnl::algorithm algorithm, const Shapes& s,
                                            const dnnl::primitive_attr& attr) {
  const typename Primitive::desc desc(dnnl::prop_kind::forward_inference, algorithm, s.x, s.weights, s.bias, s.y,
                                      s.strides, s.dilations, s.begin, s.end);
  return {desc, attr, cpu_engine()};
}
#endif

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
  // The residual is added to what already lies in the output; the scheduler let them share where it could.
  if (conv.residual && b.schedule.placement(node.inputs.back()).buffer != b.schedule.placement(node.output).buffer)
    add_copy_step(b, node.inputs.back(), node.output);
  b.steps.push_back(std::make_unique<OneDnnStep>(Primitive(pd), std::move(arguments)));
}

dnnl::matmul::primitive_desc describe_product(const memory::desc& a, const memory::desc& weights,
                                              const memory::desc& bias, const memory::desc& y,
                                              const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), a, weights, bias, y, attr};
#else
  return {dnnl::matmul::desc(a, weights, bias, y), attr, cpu_engine()};
#endif
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
    b.steps.push_back(std::make_unique<OneDnnStep>(dnnl::matmul(pd), std::move(arguments)));
  }
}

/// Weights as int8, symmetric, with a scale for each output channel.
struct NarrowWeights {
  Array values;
  std::vector<float> scales;
};
NarrowWeights quantise(const Array& weights) {
  const std::int64_t outs = weights.shape()[0], each = weights.count() / outs;
  NarrowWeights narrow{Array(ElementType::i8, weights.shape()),
                       std::vector<float>(static_cast<std::size_t>(outs), 1.0F)};
  for (std::int64_t o = 0; o < outs; ++o) {
    const float* from = weights.as<float>() + o * each;
    float largest = 0.0F;
    for (std::int64_t i = 0; i < each; ++i) largest = std::max(largest, std::fabs(from[i]));
    float& scale = narrow.scales[static_cast<std::size_t>(o)];
    if (largest > 0.0F) scale = largest / 127.0F;
    for (std::int64_t i = 0; i < each; ++i)
      narrow.values.mutable_as<std::int8_t>()[o * each + i] =
          static_cast<std::int8_t>(std::lrint(std::clamp(from[i] / scale, -127.0F, 127.0F)));
  }
  return narrow;
}

/// x and weights as 8-bit integers, sums as int32, bias and activation as float32; the output's scale with the rest
/// where it is one of integers. oneDNN 2 takes one factor for each channel before the bias is a real one, 3 takes the
/// three scales as they are.
void add_integer_convolution(StepBuilder& b, int node_index, const Node& node, const Convolution& conv,
                             const Shapes& shapes) {
  const Array& weights = *b.schedule.graph.value(node.inputs[1]).constant;
  const NarrowWeights narrow = quantise(weights);
  dnnl::primitive_attr attr = attributes(conv.then, conv.residual);
  std::vector<Argument> arguments{{DNNL_ARG_SRC, shapes.x, b.slot(node.inputs[0])},
                                  {DNNL_ARG_DST, shapes.y, b.slot(node.output)}};
  std::vector<float> bias(narrow.scales.size());
  if (conv.bias) std::copy_n(b.schedule.graph.value(node.inputs[2]).constant->as<float>(), bias.size(), bias.begin());
#if DNNL_VERSION_MAJOR >= 3
  const auto add_scales = [&](int argument, int mask, const std::vector<float>& scales) {
    attr.set_scales_mask(argument, mask);
    arguments.push_back({DNNL_ARG_ATTR_SCALES | argument,
                         {{static_cast<std::int64_t>(scales.size())}, memory::data_type::f32, Tag::a},
                         b.constants.add(scales)});
  };
  add_scales(DNNL_ARG_SRC, 0, {conv.in.scale});
  add_scales(DNNL_ARG_WEIGHTS, 1, narrow.scales);
  if (!conv.out.none()) add_scales(DNNL_ARG_DST, 0, {conv.out.scale});
#else
  std::vector<float> factors = narrow.scales;
  for (std::size_t o = 0; o < factors.size(); ++o) {
    bias[o] /= conv.in.scale * factors[o];
    factors[o] *= conv.in.scale / (conv.out.none() ? 1.0F : conv.out.scale);
  }
  attr.set_output_scales(1 << 1, factors);
#endif
  const auto pd = describe<dnnl::convolution_forward>(dnnl::algorithm::convolution_direct, shapes, attr);
  arguments.push_back(
      {DNNL_ARG_WEIGHTS, pd.weights_desc(),
       prepare(b, narrow.values, onnx_weights(conv, weights.shape(), memory::data_type::s8), pd.weights_desc())});
  if (conv.bias) arguments.push_back({DNNL_ARG_BIAS, pd.bias_desc(), b.constants.add(bias)});
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  if (conv.residual && b.schedule.placement(node.inputs.back()).buffer != b.schedule.placement(node.output).buffer)
    add_copy_step(b, node.inputs.back(), node.output);
  b.steps.push_back(std::make_unique<OneDnnStep>(dnnl::convolution_forward(pd), std::move(arguments)));
}

void add_convolution(StepBuilder& b, int node_index, const Node& node, const Convolution& conv) {
  if (is_upsampling(b.schedule.graph, node)) return add_upsampling(b, node_index, node, conv);
  const Graph& g = b.schedule.graph;
  Shapes s;
  const ElementType narrow = b.schedule.placement(node.inputs[0]).storage;
  const memory::data_type factor = conv.in.none() ? type_of(narrow) : memory::data_type::s8;
  s.x = channels_last(g.value(node.inputs[0]).shape, narrow);
  s.y = channels_last(g.value(node.output).shape, b.schedule.placement(node.output).storage);
  const memory::desc given = onnx_weights(conv, g.value(node.inputs[1]).shape);
#if DNNL_VERSION_MAJOR >= 3
  s.weights = memory::desc(given.get_dims(), factor, Tag::any);
#else
  s.weights = memory::desc(given.dims(), factor, Tag::any);
#endif
  if (conv.bias) s.bias = memory::desc({g.value(node.output).shape[1]}, memory::data_type::f32, Tag::a);
  s.strides = to_dims(conv.window.strides);
  s.begin = to_dims(conv.window.pads_begin);
  s.end = to_dims(conv.window.pads_end);
  for (const std::int64_t d : conv.window.dilations) s.dilations.push_back(d - 1);
  if (!conv.in.none()) return add_integer_convolution(b, node_index, node, conv, s);
  if (conv.transposed)
    add_convolution<dnnl::deconvolution_forward>(b, node_index, node, conv, s, dnnl::algorithm::deconvolution_direct);
  else
    add_convolution<dnnl::convolution_forward>(b, node_index, node, conv, s, dnnl::algorithm::convolution_direct);
}

/// A matrix operand of the output's rank: leading axes of extent 1 added, the last two swapped where asked.
memory::desc matrix(const Shape& shape, std::size_t rank, bool transpose, ElementType storage) {
  Shape dims(rank - shape.size(), 1);
  dims.insert(dims.end(), shape.begin(), shape.end());
  Shape strides = dense_strides(dims);
  if (transpose) {
    std::swap(dims[rank - 1], dims[rank - 2]);
    std::swap(strides[rank - 1], strides[rank - 2]);
  }
  return {to_dims(dims), type_of(storage), to_dims(strides)};
}

/// The factors, each as it lies and, where it is a constant, in the type of the product and the order that oneDNN
/// likes best.
void add_product(StepBuilder& b, int node_index, const Node& node, const MatrixProduct& product) {
  const Graph& g = b.schedule.graph;
  const std::size_t rank = g.value(node.output).shape.size();
  const auto storage = [&](ValueId id) { return b.schedule.placement(id).storage; };
  std::array<bool, 2> fixed{};
  ElementType narrow = ElementType::f32;
  for (std::size_t i = 0; i < 2; ++i) {
    fixed[i] = g.value(node.inputs[i]).constant.has_value();
    if (!fixed[i]) narrow = storage(node.inputs[i]);
  }
  const std::array<bool, 2> transpose{product.transpose_a, product.transpose_b};
  std::array<memory::desc, 2> given, wanted;
  for (std::size_t i = 0; i < 2; ++i) {
    const Shape& shape = g.value(node.inputs[i]).shape;
    given[i] = matrix(shape, rank, transpose[i], fixed[i] ? ElementType::f32 : narrow);
    wanted[i] = matrix(shape, rank, transpose[i], narrow);
  }
#if DNNL_VERSION_MAJOR >= 3
  if (fixed[1]) wanted[1] = memory::desc(given[1].get_dims(), type_of(narrow), Tag::any);
#else
  if (fixed[1]) wanted[1] = memory::desc(given[1].dims(), type_of(narrow), Tag::any);
#endif
  memory::desc bias;
  if (product.bias) {
    Shape dims(rank, 1);
    dims.back() = g.value(node.output).shape.back();
    bias = memory::desc(to_dims(dims), memory::data_type::f32, to_dims(dense_strides(dims)));
  }
  const memory::desc y = matrix(g.value(node.output).shape, rank, false, storage(node.output));
  const auto pd = describe_product(wanted[0], wanted[1], bias, y, attributes({}, false));
  wanted[1] = pd.weights_desc();
  std::vector<Argument> arguments{{DNNL_ARG_DST, y, b.slot(node.output)}};
  for (std::size_t i = 0; i < 2; ++i)
    arguments.push_back(
        {i == 0 ? DNNL_ARG_SRC : DNNL_ARG_WEIGHTS, wanted[i],
         fixed[i] ? prepare(b, *g.value(node.inputs[i]).constant, given[i], wanted[i]) : b.slot(node.inputs[i])});
  if (product.bias) arguments.push_back({DNNL_ARG_BIAS, bias, b.slot(node.inputs[2])});
  add_scratchpad(b, node_index, pd.scratchpad_desc(), arguments);
  b.steps.push_back(std::make_unique<OneDnnStep>(dnnl::matmul(pd), std::move(arguments)));
}

}  // namespace

bool add_onednn_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (!has_kernel(b.schedule.graph, node)) return false;
  try {
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
    const auto* conv = std::get_if<Convolution>(&node.operation);
    const bool integers = conv != nullptr && !conv->in.none();
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
