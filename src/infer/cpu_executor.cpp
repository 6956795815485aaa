#include <algorithm>
#include <array>

#include "infer/attention.hpp"
#include "infer/calibration.hpp"
#include "infer/executor.hpp"
#include "infer/fused_attention.hpp"
#include "infer/integer_steps.hpp"
#include "infer/integers.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/reference.hpp"
#include "infer/row_steps.hpp"
#include "infer/step.hpp"
#include "infer/storage.hpp"
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
  if (precision == Precision::tf32 || precision == Precision::float16)
    throw Failure(ErrorCode::unsupported,
                  source + ": precision = " + network_precisions[static_cast<std::size_t>(precision)] +
                      " is CUDA's, and this network runs on \"cpu\"",
                  "set precision to float32 or bfloat16, or device to \"cuda:0\"");
  if (precision == Precision::bfloat16 && !onednn_has_bfloat16())
    throw Failure(ErrorCode::unsupported,
                  source +
                      ": precision = bfloat16 needs a processor with AVX512_BF16 or AMX, which this one has not "
                      "(or DNNL_MAX_CPU_ISA hides it)",
                  "set precision to float32");
  if (precision == Precision::int8 && !onednn_has_int8())
    throw Failure(ErrorCode::unsupported,
                  source +
                      ": precision = int8 needs a processor with AVX512_VNNI, which this one has not (or "
                      "DNNL_MAX_CPU_ISA hides it)",
                  "set precision to float32");
}

/// Values that lie between nodes are kept as bfloat16.
bool is_narrow(const CpuOptions& options, const IntegerPlan& integers) {
  if (options.reference) return false;
  return options.precision == Precision::bfloat16 ||
         (options.precision == Precision::int8 && !integers.own_grids && onednn_has_bfloat16());
}

bool upsampling_writes_parts(const Graph& graph, const Node& node, bool) { return is_upsampling(graph, node); }
bool both_write_parts(const Graph& graph, const Node& node, bool narrow) {
  return is_upsampling(graph, node) || is_winograd(graph, node, narrow);
}

Schedule schedule_for(Graph graph, const CpuOptions& options, IntegerPlan& integers) {
  require_precision(options.precision, graph.source);
  if (options.optimise && !options.reference) {
    const bool attends = options.library && isocenter::detail::attention_runs_here();
    if (attends) fuse_attention(graph);
    fuse_layer_norms(graph);
    fuse_gelus(graph);
    optimise(graph);
    if (attends) read_attention_in_place(graph);
    fuse_products(graph);
  }
  if (options.precision == Precision::int8 && !options.reference) integers = plan_integers(graph);
  return make_schedule(std::move(graph),
                       {.narrow = is_narrow(options, integers),
                        .parts = !options.reference,
                        .writes_parts = options.library ? &both_write_parts : &upsampling_writes_parts});
}

/// "int8 in 12 of 13 convolutions and 2 of 2 matrix products, summed in int32; not in 'first' (why); else ".
std::string text_of(const IntegerPlan& plan) {
  constexpr std::size_t most_named = 8;
  const auto count = [](int some, int all, const char* what) {
    return std::to_string(some) + " of " + std::to_string(all) + what;
  };
  std::string text = "int8 in ";
  if (plan.convolutions > 0) text += count(plan.integer_convolutions, plan.convolutions, " convolutions");
  if (plan.products > 0)
    text += (plan.convolutions > 0 ? " and " : "") + count(plan.integer_products, plan.products, " matrix products");
  text += plan.own_grids ? " on the model's own grids, summed in int32; " : ", summed in int32; ";
  for (std::size_t i = 0; i < plan.wide.size() && i < most_named; ++i)
    text += (i == 0 ? "not in " : ", ") + plan.wide[i];
  if (plan.wide.size() > most_named) text += " and " + std::to_string(plan.wide.size() - most_named) + " more";
  return text + (plan.wide.empty() ? "else " : "; else ");
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
        schedule_(schedule_for(std::move(graph), options, integers_)) {
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
    arena_ = arena;
    for (Watched& w : watched_) w.data = data_of(w.value);
    for (Watched& w : checks_) w.data = data_of(w.value);
  }
  void run(void*) override {
    use_threads(threads_);
    std::size_t next = 0, checked = 0;
    for (; checked < checks_.size() && checks_[checked].step == 0; ++checked) require_numbers(checks_[checked]);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      for (; next < recorders_.size() && watched_[next].step == i; ++next) note(next);
      steps_[i]->run(launcher_);
      for (; checked < checks_.size() && checks_[checked].step == i + 1; ++checked) require_numbers(checks_[checked]);
    }
  }
  void check_numbers() override {
    for (const ValueId id : schedule_.graph.inputs)
      checks_.push_back({0, id, data_of(id), "the input '" + schedule_.graph.value(id).name + "'"});
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      const Node& node = schedule_.graph.nodes[i];
      checks_.push_back(
          {ends_[i], node.output, data_of(node.output), "what node '" + node.name + "' (" + node.op_type + ") gives"});
    }
  }
  void record_ranges() override { recorders_.assign(watched_.size(), {}); }
  std::string recorded_ranges(double percentile) const override {
    return calibration_text(target_, recorders_, percentile);
  }

 private:
  /// A value that is looked at before a step: a product's input for int8, or what a node gave.
  struct Watched {
    std::size_t step;
    ValueId value;
    const std::byte* data;
    std::string what{};
    bool rows = false;  ///< of a matrix product: dense
  };
  /// Null before bind, and for a constant.
  const std::byte* data_of(ValueId id) const {
    const Placement& p = schedule_.placement(id);
    if (arena_ == nullptr || p.buffer < 0) return nullptr;
    return arena_ + schedule_.buffers[static_cast<std::size_t>(p.buffer)].offset + p.offset * bytes_of(p.storage);
  }
  using Index = std::array<std::int64_t, max_rank>;
  static std::string place(const Index& at, std::size_t rank) {
    std::string text;
    for (std::size_t k = 0; k < rank; ++k) text += (k == 0 ? "(" : ", ") + std::to_string(at[k]);
    return text + ")";
  }
  void require_numbers(const Watched& w) const {
    const Placement& p = schedule_.placement(w.value);
    const Shape& shape = schedule_.graph.value(w.value).shape;
    if (w.data == nullptr || (p.storage != ElementType::f32 && p.storage != ElementType::bf16)) return;
    Index at{};
    for (std::int64_t left = element_count(shape); left > 0; --left) {
      std::int64_t offset = 0;
      for (std::size_t k = 0; k < shape.size(); ++k) offset += at[k] * p.strides[k];
      const float v = p.storage == ElementType::f32
                          ? reinterpret_cast<const float*>(w.data)[offset]
                          : isocenter::detail::widen(reinterpret_cast<const std::uint16_t*>(w.data)[offset]);
      if (v != v)
        throw Failure(ErrorCode::bad_data,
                      schedule_.graph.source + ": " + w.what + " is not a number (NaN) at " + place(at, shape.size()) +
                          " of " + to_text(shape) + ", and everything before it is one",
                      "look at the volume there and at its intensity scale");
      for (std::size_t k = shape.size(); k-- > 0 && ++at[k] == shape[k];) at[k] = 0;
    }
  }
  void note(std::size_t index) {
    const Shape& shape = schedule_.graph.value(watched_[index].value).shape;
    const Placement& p = schedule_.placement(watched_[index].value);
    const auto* values = reinterpret_cast<const float*>(watched_[index].data);
    if (watched_[index].rows) return recorders_[index].see(values, 1, element_count(shape), 0);
    // A single pixel may lie in plain layout, whose last stride is no pixel's: its channels follow one another.
    const std::int64_t step = p.layout == Layout::channels_last ? p.strides.back() : shape[1];
    recorders_[index].see(values, element_count(shape) / shape[1], shape[1], step);
  }

  void make_steps(const CpuOptions& options) {
    StepBuilder builder{schedule_, constants_, steps_, threads_};
    const auto count = static_cast<int>(schedule_.graph.nodes.size());
    std::vector<int> noted;
    if (options.precision == Precision::float32 && !options.reference && options.optimise) {
      noted = quantisable(schedule_.graph);
      target_ = calibration_target(schedule_.graph);
    }
    for (int i = 0; i < count; ++i, ends_.push_back(steps_.size())) {
      if (watched_.size() < noted.size() && noted[watched_.size()] == i)
        watched_.push_back(
            {steps_.size(),
             schedule_.graph.nodes[static_cast<std::size_t>(i)].inputs[0],
             nullptr,
             {},
             std::holds_alternative<MatrixProduct>(schedule_.graph.nodes[static_cast<std::size_t>(i)].operation)});
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
    return (library && (add_integer_steps(builder, node_index) || add_winograd_step(builder, node_index) ||
                        add_fused_attention(builder, node_index) || add_onednn_steps(builder, node_index) ||
                        add_row_steps(builder, node_index))) ||
           add_kernel_steps(builder, node_index);
  }

  void keep_constants(const std::string& key) {
    if (weights_ == nullptr) {
      const auto own = std::make_shared<const WeightBlock>(constants_.block());
      weights_ = key.empty() ? own : share_weights(key, own);
      summary_.shared_constants = weights_ != own;
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
    summary_.constants = weights_->data();
    for (const auto& b : schedule_.buffers) summary_.sum_of_values_bytes += b.bytes;
    summary_.nodes = static_cast<int>(schedule_.graph.nodes.size());
    summary_.reorders = schedule_.reorders;
    summary_.engine = onednn_version();
    summary_.precision = is_narrow(options, integers_) ? "bfloat16, summed in float32" : "float32";
    if (options.precision == Precision::int8 && !options.reference)
      summary_.precision = text_of(integers_) + summary_.precision;
  }

  int threads_;
  isocenter::detail::Launcher launcher_;
  IntegerPlan integers_;
  Schedule schedule_;
  Steps steps_;
  ConstantPool constants_;
  std::shared_ptr<const WeightBlock> weights_;
  std::vector<Port> inputs_, outputs_;
  PlanSummary summary_;
  CalibrationTarget target_;  ///< of what may be recorded
  std::vector<Watched> watched_;
  std::vector<RangeRecorder> recorders_;  ///< none: nothing is
  std::vector<std::size_t> ends_;         ///< for each node the step after its last one
  std::vector<Watched> checks_;           ///< in the order of their steps
  const std::byte* arena_ = nullptr;
};

}  // namespace

std::unique_ptr<Executor> plan_cpu(Graph graph, const CpuOptions& options) {
  return std::make_unique<CpuExecutor>(std::move(graph), options);
}

}  // namespace isocenter::infer
