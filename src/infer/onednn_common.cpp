#include "infer/onednn_common.hpp"

namespace isocenter::infer::onednn {

dnnl::engine& cpu_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::dims to_dims(const Shape& s) { return memory::dims(s.begin(), s.end()); }

memory::dims dims_of(const memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

memory::data_type type_of(ElementType storage) {
  if (storage == ElementType::u8) return memory::data_type::u8;
  if (storage == ElementType::i8) return memory::data_type::s8;
  return storage == ElementType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc channels_last(const Shape& shape, ElementType storage) {
  const Tag tag = shape.size() == 3 ? Tag::nwc : (shape.size() == 4 ? Tag::nhwc : Tag::ndhwc);
  return {to_dims(shape), type_of(storage), tag};
}

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

memory::desc onnx_weights(const Convolution& conv, const Shape& w, memory::data_type type) {
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

namespace {

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

/// `factor` is for oneDNN 2, of the activation's result.
void append_activation(dnnl::post_ops& ops, const Activation& a, [[maybe_unused]] float factor) {
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
    case Function::gelu:
      algorithm = A::eltwise_gelu_erf;
      break;
    case Function::gelu_tanh:
      algorithm = A::eltwise_gelu_tanh;
      break;
    default:
      throw Failure(ErrorCode::internal, "an activation was fused that oneDNN has not", "report this with the model");
  }
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(factor, algorithm, alpha, beta);
#endif
}

}  // namespace

void add_step(StepBuilder& b, const dnnl::primitive& primitive, std::vector<Argument> arguments) {
  b.steps.push_back(std::make_unique<OneDnnStep>(primitive, std::move(arguments)));
}

dnnl::primitive_attr attributes(const Activation& then, bool add_to_output, float factor) {
  dnnl::post_ops ops;
  if (add_to_output) ops.append_sum(1.0F);
  append_activation(ops, then, factor);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void add_residual(StepBuilder& b, ValueId residual, ValueId output) {
  // The scheduler let them share where it could.
  if (b.schedule.placement(residual).buffer != b.schedule.placement(output).buffer) add_copy_step(b, residual, output);
}

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

Shapes shapes_of(const Graph& g, const Node& node, const Convolution& conv, ElementType x, memory::data_type weights,
                 ElementType y) {
  Shapes s;
  s.x = channels_last(g.value(node.inputs[0]).shape, x);
  s.y = channels_last(g.value(node.output).shape, y);
  s.weights = memory::desc(dims_of(onnx_weights(conv, g.value(node.inputs[1]).shape, weights)), weights, Tag::any);
  if (conv.bias) s.bias = memory::desc({g.value(node.output).shape[1]}, memory::data_type::f32, Tag::a);
  s.strides = to_dims(conv.window.strides);
  s.begin = to_dims(conv.window.pads_begin);
  s.end = to_dims(conv.window.pads_end);
  for (const std::int64_t d : conv.window.dilations) s.dilations.push_back(d - 1);
  return s;
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

}  // namespace isocenter::infer::onednn
