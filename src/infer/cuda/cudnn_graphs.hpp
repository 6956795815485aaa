#pragma once
// cuDNN Frontend's graphs for what networks pose. For cudnn_device.cpp alone: it costs most of a minute to compile.
#include <cudnn_frontend.h>

#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/cuda/cudnn_operation.hpp"
#include "infer/schedule.hpp"

namespace isocenter::infer {

namespace fe = cudnn_frontend;

enum Uid : std::int64_t { uid_x = 1, uid_w, uid_bias, uid_residual, uid_y };

using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

inline fe::DataType_t type_of(ElementType storage) {
  if (storage == ElementType::bf16) return fe::DataType_t::BFLOAT16;
  return storage == ElementType::f16 ? fe::DataType_t::HALF : fe::DataType_t::FLOAT;
}

inline Tensor add_tensor(fe::graph::Graph& graph, const char* name, std::int64_t uid, const Shape& shape,
                         ElementType storage) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_name(name)
                          .set_uid(uid)
                          .set_dim(shape)
                          .set_stride(strides_of(shape, Layout::channels_last))
                          .set_data_type(type_of(storage)));
}

/// Marks what a node gives: the graph's output, or a value in between, which is float32.
inline Tensor finish(const Tensor& t, const CudnnProblem& problem, bool last) {
  t->set_dim(problem.y)
      .set_stride(strides_of(problem.y, Layout::channels_last))
      .set_data_type(type_of(last ? problem.result : ElementType::f32));
  if (last) t->set_output(true).set_uid(uid_y);
  return t;
}

inline bool set_activation(const Activation& a, fe::graph::Pointwise_attributes& p) {
  using M = fe::PointwiseMode_t;
  switch (a.function) {
    case Function::relu:
      p.set_mode(M::RELU_FWD);
      return true;
    case Function::leaky_relu:
      p.set_mode(M::RELU_FWD).set_relu_lower_clip_slope(a.alpha);
      return true;
    case Function::clip:
      p.set_mode(M::RELU_FWD).set_relu_lower_clip(a.alpha).set_relu_upper_clip(a.beta);
      return a.alpha == 0.0F;
    case Function::sigmoid:
      p.set_mode(M::SIGMOID_FWD);
      return true;
    case Function::tanh:
      p.set_mode(M::TANH_FWD);
      return true;
    case Function::elu:
      p.set_mode(M::ELU_FWD).set_elu_alpha(a.alpha);
      return true;
    default:
      return false;
  }
}

/// Builds the graph; false, with the reason, when an activation is not cuDNN's.
inline bool describe(fe::graph::Graph& graph, const CudnnProblem& problem, std::string& why_not) {
  const Convolution& c = problem.convolution;
  const auto pointwise = [] { return fe::graph::Pointwise_attributes().set_compute_data_type(fe::DataType_t::FLOAT); };
  graph.set_io_data_type(fe::DataType_t::FLOAT)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const Tensor x = add_tensor(graph, "x", uid_x, problem.x, problem.factors),
               w = add_tensor(graph, "w", uid_w, problem.w, problem.factors);
  Tensor y;
  const auto set_window = [&](auto attributes) {
    return attributes.set_pre_padding(c.window.pads_begin)
        .set_post_padding(c.window.pads_end)
        .set_stride(c.window.strides)
        .set_dilation(c.window.dilations);
  };
  if (c.transposed)
    y = graph.conv_dgrad(x, w, set_window(fe::graph::Conv_dgrad_attributes()));
  else
    y = graph.conv_fprop(x, w, set_window(fe::graph::Conv_fprop_attributes()));
  finish(y, problem, !c.bias && !c.residual && c.then.none());
  if (c.bias) {
    Shape shape(problem.y.size(), 1);
    shape[1] = problem.y[1];
    y = graph.pointwise(y, add_tensor(graph, "bias", uid_bias, shape, problem.bias),
                        pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem, !c.residual && c.then.none());
  }
  if (c.residual) {
    y = graph.pointwise(y, add_tensor(graph, "residual", uid_residual, problem.y, problem.residual),
                        pointwise().set_mode(fe::PointwiseMode_t::ADD));
    finish(y, problem, c.then.none());
  }
  if (!c.then.none()) {
    auto activation = pointwise();
    if (!set_activation(c.then, activation)) {
      why_not = "cuDNN has no such activation";
      return false;
    }
    y = finish(graph.pointwise(y, activation), problem, true);
  }
  return true;
}

/// What would make results less exact than asked for, or differ from run to run. Tensor cores multiply float32 as TF32,
/// and numbers of 16 bits as they are.
inline std::vector<fe::NumericalNote_t> excluded(const CudnnProblem& problem) {
  using N = fe::NumericalNote_t;
  std::vector<N> notes{N::NONDETERMINISTIC,  N::REDUCED_PRECISION_REDUCTION, N::FFT, N::WINOGRAD, N::WINOGRAD_TILE_4x4,
                       N::WINOGRAD_TILE_6x6, N::WINOGRAD_TILE_13x13};
  if (problem.factors == ElementType::f32 && !problem.tf32)
    notes.insert(notes.end(), {N::TENSOR_CORE, N::DOWN_CONVERT_INPUTS});
  return notes;
}

/// The device memory that a graph reads and writes, in the order of its tensors' uids.
struct CudnnArgument {
  std::int64_t uid, bytes;
};
inline std::vector<CudnnArgument> arguments_of(const CudnnProblem& p) {
  const auto bytes = [](const Shape& shape, ElementType type) { return element_count(shape) * bytes_of(type); };
  std::vector<CudnnArgument> all{{uid_x, bytes(p.x, p.factors)}, {uid_w, bytes(p.w, p.factors)}};
  if (p.convolution.bias) all.push_back({uid_bias, p.y[1] * bytes_of(p.bias)});
  if (p.convolution.residual) all.push_back({uid_residual, bytes(p.y, p.residual)});
  all.push_back({uid_y, bytes(p.y, p.result)});
  return all;
}

/// Inputs have the uids 1, 2, ..., the output the one after them.
inline std::vector<CudnnArgument> arguments_of(const CudnnOperation& op) {
  const auto bytes = [](const CudnnTensor& t) {
    std::int64_t last = 0;
    for (std::size_t k = 0; k < t.shape.size(); ++k) last += (t.shape[k] - 1) * t.strides[k];
    return (last + 1) * bytes_of(t.type);
  };
  std::vector<CudnnArgument> all;
  for (const CudnnTensor& t : op.inputs) all.push_back({static_cast<std::int64_t>(all.size()) + 1, bytes(t)});
  all.push_back({static_cast<std::int64_t>(all.size()) + 1, bytes(op.output)});
  return all;
}

inline bool describe(fe::graph::Graph& graph, const CudnnOperation& op, std::string& why_not) {
  using Kind = CudnnOperation::Kind;
  graph.set_io_data_type(fe::DataType_t::FLOAT)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  std::vector<Tensor> in;
  for (const CudnnTensor& t : op.inputs)
    in.push_back(graph.tensor(fe::graph::Tensor_attributes()
                                  .set_name("input " + std::to_string(in.size()))
                                  .set_uid(static_cast<std::int64_t>(in.size()) + 1)
                                  .set_dim(t.shape)
                                  .set_stride(t.strides)
                                  .set_data_type(type_of(t.type))));
  Tensor y;
  if (op.kind == Kind::instance_norm) {
    Tensor epsilon = graph.tensor(op.factor);
    y = graph.instancenorm(
        in[0], in[1], in[2],
        fe::graph::Instancenorm_attributes().set_forward_phase(fe::NormFwdPhase_t::INFERENCE).set_epsilon(epsilon))[0];
  } else if (op.kind == Kind::layer_norm) {
    Tensor epsilon = graph.tensor(op.factor);
    y = graph.layernorm(
        in[0], in[1], in[2],
        fe::graph::Layernorm_attributes().set_forward_phase(fe::NormFwdPhase_t::INFERENCE).set_epsilon(epsilon))[0];
  } else if (op.kind == Kind::pool) {
    const Window& w = op.pool.window;
    const bool maximum = op.pool.kind == Pool::Kind::max;
    using Mode = fe::ResampleMode_t;
    const Mode mean = op.pool.count_pads ? Mode::AVGPOOL_INCLUDE_PADDING : Mode::AVGPOOL_EXCLUDE_PADDING;
    y = graph.resample(in[0],
                       fe::graph::Resample_attributes()
                           .set_resampling_mode(maximum ? Mode::MAXPOOL : mean)
                           .set_padding_mode(maximum ? fe::PaddingMode_t::NEG_INF_PAD : fe::PaddingMode_t::ZERO_PAD)
                           .set_window(w.kernel)
                           .set_stride(w.strides)
                           .set_pre_padding(w.pads_begin)
                           .set_post_padding(w.pads_end)
                           .set_generate_index(false)
                           .set_compute_data_type(fe::DataType_t::FLOAT))[0];
  } else if (op.kind == Kind::product) {
    y = graph.matmul(in[0], in[1], fe::graph::Matmul_attributes().set_compute_data_type(fe::DataType_t::FLOAT));
  } else {
    auto attention =
        fe::graph::SDPA_attributes().set_name("attention").set_generate_stats(false).set_attn_scale(op.factor);
    if (in.size() == 4) attention.set_bias(in[3]);
    y = graph.sdpa(in[0], in[1], in[2], attention)[0];
  }
  const auto place = [&](ElementType type) {
    y->set_dim(op.output.shape).set_stride(op.output.strides).set_data_type(type_of(type));
  };
  if (!op.then.none()) {
    place(ElementType::f32);
    auto activation = fe::graph::Pointwise_attributes().set_compute_data_type(fe::DataType_t::FLOAT);
    if (!set_activation(op.then, activation)) {
      why_not = "cuDNN has no such activation";
      return false;
    }
    y = graph.pointwise(y, activation);
  }
  place(op.output.type);
  y->set_output(true).set_uid(static_cast<std::int64_t>(in.size()) + 1);
  return true;
}

/// As for convolutions; attention in float32 multiplies as TF32 whatever is asked for.
inline std::vector<fe::NumericalNote_t> excluded(const CudnnOperation& op) {
  using N = fe::NumericalNote_t;
  std::vector<N> notes{N::NONDETERMINISTIC, N::REDUCED_PRECISION_REDUCTION};
  if (op.kind == CudnnOperation::Kind::product && op.inputs[0].type == ElementType::f32 && !op.tf32)
    notes.insert(notes.end(), {N::TENSOR_CORE, N::DOWN_CONVERT_INPUTS});
  return notes;
}

}  // namespace isocenter::infer
