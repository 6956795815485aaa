#include "infer/cuda/cuda_executor.hpp"

#include <algorithm>
#include <map>

#include "infer/cuda/exact_steps.hpp"
#include "infer/cuda/library_steps.hpp"
#include "infer/cuda/recorded_runs.hpp"
#include "infer/passes.hpp"

namespace isocenter::infer {
namespace {

/// What values lie in between nodes; float32 where they are not kept in 16 bits.
ElementType storage_for(const CudaEngineRequest& request) {
  switch (request.precision) {
    case Precision::float32:
    case Precision::tf32:
      return ElementType::f32;
    case Precision::bfloat16:
      return ElementType::bf16;
    case Precision::float16:
      return ElementType::f16;
    default:
      throw Failure(ErrorCode::unsupported,
                    request.graph.source +
                        ": precision = " + network_precisions[static_cast<std::size_t>(request.precision)] +
                        " is the CPU's, and on CUDA networks run in float32, tf32, bfloat16 or float16",
                    "set precision to one of these, or device to \"cpu\"");
  }
}

class CudaExecutor final : public Executor {
 public:
  CudaExecutor(CudaEngineRequest& request, std::shared_ptr<CudnnDevice> cudnn, std::unique_ptr<DeviceQueue> queue)
      : precision_(request.precision),
        storage_(storage_for(request)),
        launcher_(request.launcher),
        cudnn_(std::move(cudnn)),
        runs_(std::move(queue)) {
    if (is_narrow(storage_)) fuse_attention(request.graph);
    fuse_layer_norms(request.graph);
    optimise(request.graph);
    schedule_ =
        make_schedule(std::move(request.graph), {.narrow = is_narrow(storage_),
                                                 .narrow_type = is_narrow(storage_) ? storage_ : ElementType::bf16,
                                                 .normalises_in_place = false});
    ConstantPool constants;
    make_steps(constants);
    plan_memory(schedule_);
    constants_ = request.upload(request.user, constants.block().data(), constants.block().size());
    describe(static_cast<std::int64_t>(constants.size()));
    for (Value& value : schedule_.graph.values) value.constant.reset();  // they are on the device
  }

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }
  const PlanSummary& summary() const override { return summary_; }
  void bind(std::byte* arena) override {
    const Addresses addresses{&schedule_, arena, constants_};
    for (const auto& step : steps_) step->bind(addresses);
    arena_ = arena;
  }
  void run(void* stream) override {
    runs_.run(arena_, stream, [this, stream] {
      cudnn_->set_stream(stream);
      launcher_.stream = stream;
      for (const auto& step : steps_) step->run(launcher_);
    });
  }
  Notes notes() override { return {notes_->offset(schedule_), notes_->words()}; }
  void check_notes() const override { notes_->check(schedule_.graph.source); }

 private:
  void make_steps(ConstantPool& constants) {
    StepBuilder builder{schedule_, constants, steps_};
    notes_.emplace(builder);
    const auto count = static_cast<int>(schedule_.graph.nodes.size());
    for (int i = 0; i < count; ++i) {
      const Node node = schedule_.graph.nodes[static_cast<std::size_t>(i)];
      add_steps(builder, i, node);
    }
    for (const ValueId id : schedule_.graph.outputs)  // written at every run: their places may be something else's too
      if (const Value& v = schedule_.graph.value(id); v.constant)
        add_move_step(builder, builder.slot(id), {schedule_.placement(id).buffer, 0}, v.constant->count(),
                      bytes_of(v.type));
  }

  void add_steps(StepBuilder& builder, int index, const Node& node) {
    if (std::holds_alternative<Alias>(node.operation)) return;
    if (add_library_steps(builder, index, node, *cudnn_, precision_ == Precision::tf32)) {
      ++library_nodes_[kind_of(node)];
      return;
    }
    const bool has_float_kernel = has_kernel(schedule_.graph, node);
    if (has_float_kernel && std::holds_alternative<Convolution>(node.operation))
      summary_.reference_nodes.push_back("'" + node.name + "' (" + node.op_type + ")");
    if (add_parallel_steps(builder, index, node)) return;
    if (has_float_kernel ? add_kernel_steps(builder, index) : add_exact_steps(builder, index, node, *notes_)) return;
    throw Failure(ErrorCode::unsupported,
                  schedule_.graph.source + ": node '" + node.name + "' (" + node.op_type + ") gives " +
                      name_of(schedule_.graph.value(node.output).type) + " of shape " +
                      to_text(schedule_.graph.value(node.output).shape) +
                      ", and CUDA has it on float32 alone, for as many axes as images have",
                  "run this node on \"cpu\", or export the model so");
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
    summary_.constants = constants_;
    for (const auto& b : schedule_.buffers) summary_.sum_of_values_bytes += b.bytes;
    summary_.nodes = static_cast<int>(schedule_.graph.nodes.size());
    summary_.reorders = schedule_.reorders;
    summary_.engine = cudnn_->name();
    for (const char* separator = ": "; const auto& [kind, count] : library_nodes_) {
      summary_.engine += separator + kind + " " + std::to_string(count);
      separator = ", ";
    }
    if (is_narrow(storage_))
      summary_.precision = std::string(name_of(storage_)) + ", summed in float32";
    else
      summary_.precision =
          precision_ == Precision::tf32 ? "float32, factors of convolutions and products as TF32" : "float32";
  }

  Precision precision_;
  ElementType storage_;
  isocenter::detail::Launcher launcher_;
  std::shared_ptr<CudnnDevice> cudnn_;  // outlives the steps
  Schedule schedule_;
  Steps steps_;
  std::optional<IndexNotes> notes_;
  std::map<std::string, int> library_nodes_;  ///< by kind, how many of them cuDNN runs
  const std::byte* constants_ = nullptr;
  std::byte* arena_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  PlanSummary summary_;
  RecordedRuns runs_;
};

}  // namespace

std::unique_ptr<Executor> plan_with_cudnn(CudaEngineRequest& request, std::shared_ptr<CudnnDevice> cudnn,
                                          std::unique_ptr<DeviceQueue> queue) {
  return std::make_unique<CudaExecutor>(request, std::move(cudnn), std::move(queue));
}

}  // namespace isocenter::infer
