#include <algorithm>

#include "infer/executor.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/reference.hpp"
#include "infer/step.hpp"
#include "infer/threads.hpp"
#include "infer/weight_cache.hpp"
#include "infer/winograd_step.hpp"

namespace isocenter::infer {
namespace {

/// One node in plain loops, on one thread.
class ReferenceStep final : public Step {
 public:
  ReferenceStep(StepBuilder& b, const Node& node)
      : node_(node), out_shape_(b.schedule.graph.value(node.output).shape), out_slot_(b.slot(node.output)) {
    out_.type = b.schedule.graph.value(node.output).type;
    shapes_.reserve(node.inputs.size());
    for (const ValueId id : node.inputs) {
      const Value& v = b.schedule.graph.value(id);
      shapes_.push_back(v.shape);
      in_.push_back({v.type, nullptr, nullptr});
      slots_.push_back(b.slot(id));
    }
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i].shape = &shapes_[i];
    out_.shape = &out_shape_;
  }
  void bind(const Addresses& a) override {
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i].data = a.at<std::byte>(slots_[i]);
    out_.data = a.at<std::byte>(out_slot_);
  }
  void run(const isocenter::detail::Launcher&) override { evaluate_reference(node_, in_, out_); }

 private:
  Node node_;
  std::vector<Shape> shapes_;
  Shape out_shape_;
  std::vector<Slot> slots_;
  Slot out_slot_;
  std::vector<ConstView> in_;
  View out_{};
};

/// A graph output that is a constant: written at every run, since its place may have been used for something else.
class ConstantOutputStep final : public Step {
 public:
  ConstantOutputStep(Slot from, Slot to, std::int64_t bytes) : from_(from), to_(to), bytes_(bytes) {}
  void bind(const Addresses& a) override {
    source_ = a.at<std::byte>(from_);
    target_ = a.at<std::byte>(to_);
  }
  void run(const isocenter::detail::Launcher&) override {
    std::memcpy(target_, source_, static_cast<std::size_t>(bytes_));
  }

 private:
  Slot from_, to_;
  std::int64_t bytes_;
  const std::byte* source_ = nullptr;
  std::byte* target_ = nullptr;
};

void require_precision(Precision precision, const std::string& source) {
  if (precision == Precision::tf32)
    throw Failure(ErrorCode::unsupported, source + ": precision = tf32 is CUDA's, and this network runs on \"cpu\"",
                  "set precision to float32 or bfloat16, or device to \"cuda:0\"");
  if (precision == Precision::bfloat16 && !onednn_has_bfloat16())
    throw Failure(ErrorCode::unsupported,
                  source +
                      ": precision = bfloat16 needs a processor with AVX512_BF16 or AMX, which this one has not "
                      "(or DNNL_MAX_CPU_ISA hides it)",
                  "set precision to float32");
}

bool upsampling_writes_parts(const Graph& graph, const Node& node, bool) { return is_upsampling(graph, node); }
bool both_write_parts(const Graph& graph, const Node& node, bool narrow) {
  return is_upsampling(graph, node) || is_winograd(graph, node, narrow);
}

Schedule schedule_for(Graph graph, const CpuOptions& options) {
  require_precision(options.precision, graph.source);
  if (options.optimise && !options.reference) optimise(graph);
  return make_schedule(std::move(graph),
                       {.narrow = options.precision == Precision::bfloat16 && !options.reference,
                        .parts = !options.reference,
                        .writes_parts = options.library ? &both_write_parts : &upsampling_writes_parts});
}

/// Names the form that weights are brought into; empty where they are not shared. oneDNN chooses it by the threads too.
std::string key_of(const CpuOptions& options, int threads) {
  if (options.weights_key.empty()) return {};
  return options.weights_key + " " + std::to_string(static_cast<int>(options.precision)) + " " +
         std::to_string(threads) + (options.optimise ? " optimised" : "") + (options.reference ? " loops" : "") +
         (options.library ? " library" : "");
}

class CpuExecutor final : public Executor {
 public:
  CpuExecutor(Graph graph, const CpuOptions& options)
      : threads_(options.threads > 0 ? options.threads : default_threads()),
        launcher_(cpu_launcher(threads_)),
        schedule_(schedule_for(std::move(graph), options)) {
    use_threads(threads_);  // oneDNN chooses its blocking for the threads that it finds now
    const std::string key = key_of(options, threads_);
    if (!key.empty()) weights_ = find_weights(key);
    constants_ = ConstantPool(weights_ != nullptr);
    summary_.shared_constants = weights_ != nullptr;
    make_steps(options);
    keep_constants(key);
    plan_memory(schedule_);
    describe(options);
  }

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }
  const PlanSummary& summary() const override { return summary_; }

  void bind(std::byte* arena) override {
    const Addresses addresses{&schedule_, arena, weights_->data()};
    for (const auto& step : steps_) step->bind(addresses);
  }
  void run(void*) override {
    use_threads(threads_);
    for (const auto& step : steps_) step->run(launcher_);
  }

 private:
  void make_steps(const CpuOptions& options) {
    StepBuilder builder{schedule_, constants_, steps_, threads_};
    const auto count = static_cast<int>(schedule_.graph.nodes.size());
    for (int i = 0; i < count; ++i) {
      if (!options.reference && add_steps(builder, i, options.library)) continue;
      const Node node = schedule_.graph.nodes[static_cast<std::size_t>(i)];
      if (std::holds_alternative<Alias>(node.operation) &&
          schedule_.placement(node.output).buffer == schedule_.placement(node.inputs[0]).buffer)
        continue;
      add_reference(builder, i, node);
    }
    for (const ValueId id : schedule_.graph.outputs)
      if (const Value& v = schedule_.graph.value(id); v.constant)
        steps_.push_back(std::make_unique<ConstantOutputStep>(
            constants_.add_value(id, *v.constant), Slot{schedule_.placement(id).buffer, 0}, v.constant->bytes()));
  }

  static bool add_steps(StepBuilder& builder, int node_index, bool library) {
    return (library && (add_winograd_step(builder, node_index) || add_onednn_steps(builder, node_index))) ||
           add_kernel_steps(builder, node_index);
  }

  void keep_constants(const std::string& key) {
    if (weights_ == nullptr) {
      weights_ = std::make_shared<const WeightBlock>(constants_.block());
      if (!key.empty()) weights_ = share_weights(key, weights_);
    }
    if (weights_->bytes() != constants_.size())
      throw Failure(ErrorCode::internal,
                    schedule_.graph.source + ": two plans of the same network have weights of " +
                        std::to_string(weights_->bytes()) + " and " + std::to_string(constants_.size()) + " bytes",
                    "report this with the model");
    constants_ = {};
    for (Value& value : schedule_.graph.values) value.constant.reset();  // the steps read the block
  }

  /// The reference works on plain values. Where the plan laid them out otherwise (oneDNN had no implementation), they
  /// are reordered into scratch values around it.
  void add_reference(StepBuilder& b, int index, Node node) {
    if (!std::holds_alternative<Alias>(node.operation))
      summary_.reference_nodes.push_back("'" + node.name + "' (" + node.op_type + ")");
    for (auto& id : node.inputs) id = in_plain_form(b, index, id, Layout::plain);
    const ValueId out = node.output;
    const bool shares = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return schedule_.placement(id).buffer >= 0 && schedule_.placement(id).buffer == schedule_.placement(out).buffer;
    });
    if (shares || !is_plain_form(schedule_, out, Layout::plain))
      node.output = add_scratch_value(b, index, out, Layout::plain);
    b.steps.push_back(std::make_unique<ReferenceStep>(b, node));
    if (node.output != out) add_copy_step(b, node.output, out);
  }

  void describe(const CpuOptions& options) {
    for (const auto* list : {&schedule_.graph.inputs, &schedule_.graph.outputs})
      for (const ValueId id : *list) {
        const Value& v = schedule_.graph.value(id);
        const std::int64_t offset = schedule_.buffers[static_cast<std::size_t>(schedule_.placement(id).buffer)].offset;
        (list == &schedule_.graph.inputs ? inputs_ : outputs_).push_back({v.name, v.type, v.shape, offset});
      }
    summary_.arena_bytes = schedule_.arena_bytes;
    summary_.constant_bytes = static_cast<std::int64_t>(weights_->bytes());
    for (const auto& b : schedule_.buffers) summary_.sum_of_values_bytes += b.bytes;
    summary_.nodes = static_cast<int>(schedule_.graph.nodes.size());
    summary_.reorders = schedule_.reorders;
    summary_.engine = onednn_version();
    summary_.precision = options.precision == Precision::bfloat16 ? "bfloat16, summed in float32" : "float32";
  }

  int threads_;
  isocenter::detail::Launcher launcher_;
  Schedule schedule_;
  Steps steps_;
  ConstantPool constants_;
  std::shared_ptr<const WeightBlock> weights_;
  std::vector<Port> inputs_, outputs_;
  PlanSummary summary_;
};

}  // namespace

std::unique_ptr<Executor> plan_cpu(Graph graph, const CpuOptions& options) {
  return std::make_unique<CpuExecutor>(std::move(graph), options);
}

}  // namespace isocenter::infer
