#include "infer/fused_attention.hpp"

#include <algorithm>

#include "infer/attention.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

class AttentionStep final : public Step {
 public:
  struct Slots {
    Slot q, k, v, bias, out, scratch;
  };
  AttentionStep(const kernels::AttentionProblem& problem, const Slots& slots, std::array<std::int64_t, 4> offsets,
                int threads)
      : problem_(problem), slots_(slots), offsets_(offsets), threads_(threads) {}
  void bind(const Addresses& a) override {
    const std::int64_t bytes = problem_.narrow ? 2 : 4;
    const std::array<kernels::AttentionValues*, 4> values{&problem_.q, &problem_.k, &problem_.v, &problem_.out};
    const std::array<Slot, 4> slots{slots_.q, slots_.k, slots_.v, slots_.out};
    for (std::size_t i = 0; i < 4; ++i) values[i]->data = a.at<std::byte>(slots[i]) + offsets_[i] * bytes;
    if (problem_.has_bias) problem_.bias.data = a.at<void>(slots_.bias);
    scratch_ = a.at<std::byte>(slots_.scratch);
  }
  void run(const kernels::Launcher& launcher) override {
    const std::int64_t blocks = attention_blocks(problem_), bytes = attention_scratch_bytes(problem_);
    parallel_for(launcher, threads_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        run_attention(problem_, blocks * i / threads_, blocks * (i + 1) / threads_, scratch_ + i * bytes);
    });
  }

 private:
  kernels::AttentionProblem problem_;
  Slots slots_;
  std::array<std::int64_t, 4> offsets_;
  std::int64_t threads_;
  std::byte* scratch_ = nullptr;
};

/// The strides of a bias of (1 or batch, 1 or heads, queries, keys).
kernels::AttentionValues bias_of(const Shape& shape) {
  kernels::AttentionValues bias{};
  const Shape strides = dense_strides(shape);
  for (std::size_t k = 0; k < 4; ++k) bias.strides[k] = shape[k] == 1 ? 0 : strides[k];
  return bias;
}

}  // namespace

bool add_fused_attention(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  const auto* attention = std::get_if<Attention>(&node.operation);
  if (attention == nullptr || attention->views.empty() || !kernels::attention_runs_here()) return false;
  const auto& views = attention->views;
  const auto extent = [&](std::size_t view, std::size_t axis) { return static_cast<int>(views[view].extents[axis]); };
  kernels::AttentionProblem p{};
  p.batch = extent(0, 0);
  p.heads = extent(0, 1);
  p.queries = extent(0, 2);
  p.keys = extent(1, 2);
  p.depth = extent(0, 3);
  p.width = extent(2, 3);
  p.scale = attention->scale;
  p.narrow = is_narrow(b.schedule.placement(node.inputs[0]).storage);
  std::vector<ValueId> values{node.inputs[0], node.inputs[1], node.inputs[2], node.output};
  AttentionStep::Slots slots{};
  p.has_bias = attention->bias;
  if (attention->bias) {
    const ValueId bias = node.inputs[3];
    p.bias = bias_of(b.schedule.graph.value(bias).shape);
    p.narrow_bias = is_narrow(b.schedule.placement(bias).storage);
    slots.bias = b.slot(bias);
  }
  // Values that are not narrow as the first one is are brought to its form.
  const ValueId out = node.output;
  for (ValueId& id : values)
    if (is_narrow(b.schedule.placement(id).storage) != p.narrow) {
      const ValueId twin = add_scratch_value(b, node_index, id, Layout::plain);
      if (p.narrow) b.schedule.placements.back().storage = ElementType::bf16;
      if (&id != &values[3]) add_copy_step(b, id, twin);
      id = twin;
    }
  slots.q = b.slot(values[0]);
  slots.k = b.slot(values[1]);
  slots.v = b.slot(values[2]);
  slots.out = b.slot(values[3]);
  slots.scratch = {add_scratch(b.schedule, node_index, b.threads * attention_scratch_bytes(p)), 0};
  const std::array<kernels::AttentionValues*, 4> to{&p.q, &p.k, &p.v, &p.out};
  std::array<std::int64_t, 4> offsets{};
  for (std::size_t i = 0; i < 4; ++i) {
    std::copy_n(views[i].strides.begin(), 4, to[i]->strides);
    offsets[i] = views[i].offset;
  }
  b.steps.push_back(std::make_unique<AttentionStep>(p, slots, offsets, b.threads));
  if (values[3] != out) add_copy_step(b, values[3], out);
  return true;
}

}  // namespace isocenter::infer
