#include "infer/cuda/library_steps.hpp"

#include <algorithm>

#include "infer/kernel_step.hpp"

namespace isocenter::infer {
namespace {

class LibraryStep final : public Step {
 public:
  struct Slots {
    Slot x, w, bias, residual, y, workspace;
    bool has_bias = false, has_residual = false;
  };
  LibraryStep(std::unique_ptr<CudnnConvolution> convolution, const Slots& slots)
      : convolution_(std::move(convolution)), slots_(slots) {}
  void bind(const Addresses& a) override {
    x_ = a.at<std::byte>(slots_.x);
    w_ = a.at<std::byte>(slots_.w);
    bias_ = slots_.has_bias ? a.at<std::byte>(slots_.bias) : nullptr;
    residual_ = slots_.has_residual ? a.at<std::byte>(slots_.residual) : nullptr;
    y_ = a.at<std::byte>(slots_.y);
    workspace_ = a.at<std::byte>(slots_.workspace);
  }
  void run(const isocenter::detail::Launcher&) override { convolution_->run(x_, w_, bias_, residual_, y_, workspace_); }

 private:
  std::unique_ptr<CudnnConvolution> convolution_;
  Slots slots_;
  const std::byte *x_ = nullptr, *w_ = nullptr, *bias_ = nullptr, *residual_ = nullptr;
  std::byte *y_ = nullptr, *workspace_ = nullptr;
};

class OperationStep final : public Step {
 public:
  struct Slots {
    std::vector<Slot> inputs;
    Slot output, workspace;
  };
  OperationStep(std::unique_ptr<CudnnPlan> plan, Slots slots)
      : plan_(std::move(plan)), slots_(std::move(slots)), inputs_(slots_.inputs.size()) {}
  void bind(const Addresses& a) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = a.at<std::byte>(slots_.inputs[i]);
    output_ = a.at<std::byte>(slots_.output);
    workspace_ = a.at<std::byte>(slots_.workspace);
  }
  void run(const isocenter::detail::Launcher&) override { plan_->run(inputs_, output_, workspace_); }

 private:
  std::unique_ptr<CudnnPlan> plan_;
  Slots slots_;
  std::vector<const void*> inputs_;
  std::byte *output_ = nullptr, *workspace_ = nullptr;
};

/// (outer, inner, taps) with the second axis fastest, as channels-last tensors lie.
std::vector<float> channels_last(const float* w, std::int64_t outer, std::int64_t inner, std::int64_t taps) {
  std::vector<float> packed(static_cast<std::size_t>(outer * inner * taps));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i)
      for (std::int64_t t = 0; t < taps; ++t)
        packed[static_cast<std::size_t>((o * taps + t) * inner + i)] = w[(o * inner + i) * taps + t];
  return packed;
}

/// The weights as a convolution's: by output channel (transposed: input channel), tap, input (output) channel.
std::vector<float> packed_weights(const Node& node, const Array& w) {
  const Shape& s = w.shape();
  const auto* product = std::get_if<MatrixProduct>(&node.operation);
  if (product == nullptr) return channels_last(w.as<float>(), s[0], s[1], w.count() / (s[0] * s[1]));
  const std::int64_t rows = s[s.size() - 2], columns = s.back();
  if (product->transpose_b) return {w.as<float>(), w.as<float>() + w.count()};
  return channels_last(w.as<float>(), 1, rows, columns);
}

Slot add_stored(ConstantPool& constants, const std::vector<float>& weights, ElementType storage) {
  Slot slot;
  with_storage(storage, [&](auto type) {
    std::vector<decltype(type)> stored(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) isocenter::detail::store(&stored[i], weights[i]);
    slot = constants.add(stored);
  });
  return slot;
}

Slot add_constant(StepBuilder& b, ValueId id, ElementType storage) {
  if (storage == ElementType::f32) return b.slot(id);
  const Array& values = *b.schedule.graph.value(id).constant;
  return add_stored(b.constants, {values.as<float>(), values.as<float>() + values.count()}, storage);
}

/// Scratch for a value like the output, kept in `storage`.
ValueId add_stored_like(StepBuilder& b, int step, ValueId output, ElementType storage) {
  const Placement like = b.schedule.placement(output);
  const Value v = b.schedule.graph.value(output);
  const int scratch = add_scratch(b.schedule, step, element_count(v.shape) * bytes_of(storage));
  b.schedule.placements.push_back({like.layout, strides_of(v.shape, like.layout), scratch, 0, storage});
  return b.schedule.graph.add_value({v.name, v.type, v.shape, std::nullopt});
}

/// The bias as it broadcasts over the output in a map.
ValueId broadcast_bias(StepBuilder& b, const Node& node) {
  if (std::holds_alternative<MatrixProduct>(node.operation)) return node.inputs[2];
  const Array& bias = *b.schedule.graph.value(node.inputs[2]).constant;
  Shape shape(b.schedule.graph.value(node.output).shape.size() - 1, 1);
  shape[0] = bias.count();
  return add_constant_value(b, bias.reshaped(shape));
}

/// From what cuDNN gave at `at` to the node's output.
void add_left_over(StepBuilder& b, const Node& node, const Convolution& whole, const Convolution& fused, ValueId at) {
  bool activates = !whole.then.none() && fused.then.none();
  const bool adds_residual = whole.residual && !fused.residual;
  const auto step = [&](const Map& map, std::vector<ValueId> inputs, ValueId to) {
    add_map_step(b, map, std::move(inputs), to);
    at = to;
  };
  if (whole.bias && !fused.bias) {
    const Activation then = adds_residual ? Activation{} : whole.then;
    step(Map{Function::add, 0, 0, then}, {at, broadcast_bias(b, node)}, adds_residual ? at : node.output);
    activates = activates && adds_residual;
  }
  if (adds_residual) {
    step(Map{Function::add, 0, 0, whole.then}, {at, node.inputs.back()}, node.output);
    activates = false;
  }
  if (activates) step(Map{whole.then.function, whole.then.alpha, whole.then.beta, {}}, {at}, node.output);
  if (at != node.output) add_copy_step(b, at, node.output);
}

/// The node as one of cuDNN's graphs; false where it plans none.
bool add_operation_step(StepBuilder& b, int node_index, const Node& node, CudnnDevice& device, bool tf32) {
  auto operation = cudnn_operation(b.schedule, node);
  if (!operation) return false;
  operation->tf32 = tf32;
  std::string why_not;
  auto plan = device.plan(*operation, why_not);
  if (plan == nullptr) return false;
  const bool apart = operation->output.type != b.schedule.placement(node.output).storage;
  const ValueId target = apart ? add_stored_like(b, node_index, node.output, operation->output.type) : node.output;
  OperationStep::Slots slots;
  for (std::size_t i = 0; i < operation->inputs.size(); ++i) {
    const Value& v = b.schedule.graph.value(node.inputs[i]);
    slots.inputs.push_back(v.constant ? add_constant(b, node.inputs[i], operation->inputs[i].type)
                                      : b.slot(node.inputs[i]));
  }
  slots.output = b.slot(target);
  slots.workspace = {add_scratch(b.schedule, node_index, plan->workspace_bytes()), 0};
  b.steps.push_back(std::make_unique<OperationStep>(std::move(plan), std::move(slots)));
  if (apart) add_copy_step(b, target, node.output);
  return true;
}

}  // namespace

bool add_library_steps(StepBuilder& b, int node_index, const Node& node, CudnnDevice& device, bool tf32) {
  auto posed = cudnn_problem(b.schedule.graph, node);
  if (!posed) return add_operation_step(b, node_index, node, device, tf32);
  if (!has_kernel(b.schedule.graph, node)) return false;
  const Convolution whole = posed->convolution;
  posed->tf32 = tf32;
  posed->factors = b.schedule.placement(node.inputs[0]).storage;
  if (whole.residual) posed->residual = b.schedule.placement(node.inputs.back()).storage;
  posed->result = b.schedule.placement(node.output).storage;
  CudnnProblem problem = *posed;
  std::string why_not;
  auto planned = plan_as_fused_as_possible(device, problem, why_not);
  if (planned == nullptr && is_narrow(posed->factors) && posed->result == ElementType::f32) {
    problem = *posed;  // rounded to 16 bits, and widened again
    problem.result = posed->factors;
    planned = plan_as_fused_as_possible(device, problem, why_not);
  }
  if (planned == nullptr) return false;
  const Convolution& fused = problem.convolution;
  // What follows reads the residual, which may lie where the output will.
  const bool apart = (whole.residual && !fused.residual) || problem.result != posed->result;
  const ValueId target = apart ? add_stored_like(b, node_index, node.output, problem.result) : node.output;
  LibraryStep::Slots slots;
  slots.x = b.slot(node.inputs[0]);
  slots.w =
      add_stored(b.constants, packed_weights(node, *b.schedule.graph.value(node.inputs[1]).constant), problem.factors);
  slots.y = b.slot(target);
  slots.workspace = {add_scratch(b.schedule, node_index, planned->workspace_bytes()), 0};
  if ((slots.has_bias = fused.bias)) slots.bias = add_constant(b, node.inputs[2], problem.bias);
  if ((slots.has_residual = fused.residual)) slots.residual = b.slot(node.inputs.back());
  b.steps.push_back(std::make_unique<LibraryStep>(std::move(planned), slots));
  add_left_over(b, node, whole, fused, target);
  return true;
}

}  // namespace isocenter::infer
