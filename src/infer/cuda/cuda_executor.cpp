// A network on CUDA: convolutions by cuDNN, the rest by kernels of ours. Never run on a GPU so far: compiled, linked,
// and its convolutions planned for an H100 without the device.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>

#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/cuda_engine.hpp"
#include "infer/passes.hpp"
#include "infer/step.hpp"

namespace isocenter::infer {
namespace {

/// Weights with the second axis fastest: (k, spatial..., c), as channels-last tensors lie.
std::vector<float> channels_last_weights(const Array& w) {
  const std::int64_t outer = w.shape()[0], inner = w.shape()[1], taps = w.count() / (outer * inner);
  std::vector<float> packed(static_cast<std::size_t>(w.count()));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i)
      for (std::int64_t t = 0; t < taps; ++t)
        packed[static_cast<std::size_t>((o * taps + t) * inner + i)] = w.as<float>()[(o * inner + i) * taps + t];
  return packed;
}

class CudnnStep final : public Step {
 public:
  struct Slots {
    Slot x, w, bias, residual, y, workspace;
    bool has_bias = false, has_residual = false;
  };
  CudnnStep(std::unique_ptr<CudnnConvolution> convolution, const Slots& slots)
      : convolution_(std::move(convolution)), slots_(slots) {}
  void bind(const Addresses& a) override {
    x_ = a.at(slots_.x);
    w_ = a.at(slots_.w);
    bias_ = slots_.has_bias ? a.at(slots_.bias) : nullptr;
    residual_ = slots_.has_residual ? a.at(slots_.residual) : nullptr;
    y_ = a.at(slots_.y);
    workspace_ = a.at<std::byte>(slots_.workspace);
  }
  void run(const isocenter::detail::Launcher&) override { convolution_->run(x_, w_, bias_, residual_, y_, workspace_); }

 private:
  std::unique_ptr<CudnnConvolution> convolution_;
  Slots slots_;
  const float *x_ = nullptr, *w_ = nullptr, *bias_ = nullptr, *residual_ = nullptr;
  float* y_ = nullptr;
  void* workspace_ = nullptr;
};

class CudaExecutor final : public Executor {
 public:
  explicit CudaExecutor(CudaEngineRequest& request)
      : device_index_(request.device_index), tf32_(request.precision == Precision::tf32), launcher_(request.launcher) {
    if (request.precision != Precision::float32 && !tf32_)
      throw Failure(ErrorCode::unsupported,
                    request.graph.source +
                        ": precision = " + network_precisions[static_cast<std::size_t>(request.precision)] +
                        " is the CPU's, and on CUDA networks run in float32 or tf32",
                    "set precision to float32 or tf32, or device to \"cpu\"");
    cudaSetDevice(device_index_);
    cudnn_ = CudnnDevice::present();
    optimise(request.graph);
    schedule_ = make_schedule(std::move(request.graph));
    make_steps();
    plan_memory(schedule_);
    const auto& block = builder_constants_.block();
    constants_ = request.upload(request.user, block.data(), block.size());
    describe(static_cast<std::int64_t>(block.size()));
    builder_constants_ = {};
    for (Value& value : schedule_.graph.values) value.constant.reset();  // they are on the device
  }

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }
  const PlanSummary& summary() const override { return summary_; }
  void bind(std::byte* arena) override {
    const Addresses addresses{&schedule_, arena, constants_};
    for (const auto& step : steps_) step->bind(addresses);
  }
  void run(void* stream) override {
    cudaSetDevice(device_index_);
    cudnn_->set_stream(stream);
    launcher_.stream = stream;
    for (const auto& step : steps_) step->run(launcher_);
  }

 private:
  void make_steps() {
    StepBuilder builder{schedule_, builder_constants_, steps_};
    const auto count = static_cast<int>(schedule_.graph.nodes.size());
    for (int i = 0; i < count; ++i) {
      const Node node = schedule_.graph.nodes[static_cast<std::size_t>(i)];
      if (!std::holds_alternative<Alias>(node.operation) && !has_kernel(schedule_.graph, node)) refuse(node);
      const auto* conv = std::get_if<Convolution>(&node.operation);
      if (conv != nullptr && add_cudnn_steps(builder, i, node, *conv)) continue;
      if (conv != nullptr) summary_.reference_nodes.push_back("'" + node.name + "' (" + node.op_type + ")");
      add_kernel_steps(builder, i);
    }
    for (const ValueId id : schedule_.graph.outputs)
      if (schedule_.graph.value(id).constant)
        throw Failure(ErrorCode::unsupported,
                      schedule_.graph.source + ": output '" + schedule_.graph.value(id).name +
                          "' is a constant, which CUDA does not give",
                      "run this node on \"cpu\"");
  }

  [[noreturn]] void refuse(const Node& node) const {
    if (std::holds_alternative<Loops>(node.operation))
      throw Failure(ErrorCode::unsupported,
                    schedule_.graph.source + ": node '" + node.name + "' (" + node.op_type +
                        ") runs in plain loops, which CUDA has not",
                    "run this node on \"cpu\"");
    throw Failure(ErrorCode::unsupported,
                  schedule_.graph.source + ": node '" + node.name + "' (" + node.op_type + ") works on " +
                      name_of(schedule_.graph.value(node.output).type) +
                      ", and on CUDA networks run in float32 with constant weights and at most five axes",
                  "run this node on \"cpu\", or export the model so");
  }

  /// As much of the node as cuDNN plans in one graph; what is left over follows as elementwise kernels.
  bool add_cudnn_steps(StepBuilder& b, int index, const Node& node, const Convolution& conv) {
    CudnnProblem problem = cudnn_problem(schedule_.graph, node);
    problem.tf32 = tf32_;
    std::string why_not;
    auto planned = plan_as_fused_as_possible(cudnn_, problem, why_not);
    if (planned == nullptr) return false;
    const Convolution& fused = problem.convolution;
    // What follows reads the residual, which may lie where the output will.
    const bool apart = conv.residual && !fused.residual;
    const ValueId target = apart ? add_scratch_value(b, index, node.output, Layout::channels_last) : node.output;
    CudnnStep::Slots slots;
    slots.x = b.slot(node.inputs[0]);
    slots.w = b.constants.add(channels_last_weights(*schedule_.graph.value(node.inputs[1]).constant));
    slots.y = b.slot(target);
    slots.workspace = {add_scratch(schedule_, index, planned->workspace_bytes()), 0};
    if ((slots.has_bias = fused.bias)) slots.bias = b.slot(node.inputs[2]);
    if ((slots.has_residual = fused.residual)) slots.residual = b.slot(node.inputs.back());
    b.steps.push_back(std::make_unique<CudnnStep>(std::move(planned), slots));

    const bool activates = !conv.then.none() && fused.then.none();
    if (conv.bias && !fused.bias) {
      const Array& bias = *schedule_.graph.value(node.inputs[2]).constant;
      Shape shape(schedule_.graph.value(node.output).shape.size() - 1, 1);
      shape[0] = bias.count();
      const bool last = !apart;
      add_map_step(b, Map{Function::add, 0, 0, last && activates ? conv.then : Activation{}},
                   {target, add_constant_value(b, bias.reshaped(shape))}, target);
      if (last) return true;
    }
    if (apart)
      add_map_step(b, Map{Function::add, 0, 0, activates ? conv.then : Activation{}}, {target, node.inputs.back()},
                   node.output);
    else if (activates)
      add_map_step(b, Map{conv.then.function, conv.then.alpha, conv.then.beta, {}}, {target}, target);
    return true;
  }

  void describe(std::int64_t constant_bytes) {
    for (const auto* list : {&schedule_.graph.inputs, &schedule_.graph.outputs})
      for (const ValueId id : *list) {
        const Value& v = schedule_.graph.value(id);
        const std::int64_t offset = schedule_.buffers[static_cast<std::size_t>(schedule_.placement(id).buffer)].offset;
        (list == &schedule_.graph.inputs ? inputs_ : outputs_).push_back({v.name, v.type, v.shape, offset});
      }
    summary_.arena_bytes = schedule_.arena_bytes;
    summary_.constant_bytes = constant_bytes;
    for (const auto& b : schedule_.buffers) summary_.sum_of_values_bytes += b.bytes;
    summary_.nodes = static_cast<int>(schedule_.graph.nodes.size());
    summary_.reorders = schedule_.reorders;
    summary_.engine = cudnn_version();
    summary_.precision = tf32_ ? "float32, factors of convolutions as TF32" : "float32";
  }

  int device_index_;
  bool tf32_;
  isocenter::detail::Launcher launcher_;
  std::shared_ptr<CudnnDevice> cudnn_;
  Schedule schedule_;
  Steps steps_;
  ConstantPool builder_constants_;
  const std::byte* constants_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  PlanSummary summary_;
};

}  // namespace
}  // namespace isocenter::infer

/// See CudaEnginePlan: no exception crosses the two shared objects.
extern "C" __attribute__((visibility("default"))) int isocenter_infer_cuda_plan(
    isocenter::infer::CudaEngineRequest* request, isocenter::infer::Executor** executor, char* message,
    std::size_t capacity) {
  using isocenter::ErrorCode;
  try {
    *executor = new isocenter::infer::CudaExecutor(*request);
    return 0;
  } catch (const isocenter::Error& e) {
    std::snprintf(message, capacity, "%s", e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    std::snprintf(message, capacity, "planning a network for CUDA failed: %s. Fix: report this with the model.",
                  e.what());
    return static_cast<int>(ErrorCode::internal);
  }
}
