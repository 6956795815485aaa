#include "infer/network_plan.hpp"

#include "core/launcher.hpp"
#include "infer/engine_executor.hpp"
#include "infer/lower.hpp"
#include "infer/plan_cache.hpp"

namespace isocenter::infer {
namespace {

/// Weights that a plan of the same session shares are declared with that one, as what the process may keep is.
void declare(PlanContext& plan, const PlanSummary& summary, const NetworkOptions& options) {
  const PlanSummary* beside = options.beside;
  if (beside == nullptr || summary.constants == nullptr || beside->constants != summary.constants)
    plan.declare_host_memory(static_cast<std::uint64_t>(summary.constant_bytes));
  if (beside == nullptr && plan.on_cpu() && options.engine.empty())
    plan.declare_host_memory(static_cast<std::uint64_t>(options.kept_bytes));
}

}  // namespace

std::unique_ptr<Executor> plan_network(PlanContext& plan, const OnnxModel& model, const Shape& shape,
                                       const NetworkOptions& options) {
  LowerOptions lowering;
  lowering.input_shapes[model.inputs[0].name] = shape;
  std::unique_ptr<Executor> executor;
  if (!options.engine.empty()) {
    executor = plan_with_engine(model, shape,
                                {.engine = options.engine,
                                 .precision = options.precision,
                                 .device = plan.device().name,
                                 .threads = plan.launcher().concurrency,
                                 .digest = options.digest});
    declare(plan, executor->summary(), options);
  } else if (plan.on_cpu()) {
    lowering.real_products = options.precision == Precision::int8;
    CpuOptions cpu{.precision = options.precision, .threads = plan.launcher().concurrency};
    if (!model.external_data) cpu.weights_key = options.digest + " " + to_text(shape);
    const auto make = [&] { return plan_cpu(lower(model, lowering), cpu); };
    if (options.kept_bytes > 0 && !model.external_data)
      executor = plan_or_kept(
          cpu.weights_key + " " + std::to_string(static_cast<int>(cpu.precision)) + " " + std::to_string(cpu.threads),
          options.kept_bytes, make);
    else
      executor = make();
    declare(plan, executor->summary(), options);
  } else {
    executor = plan_on_cuda(lower(model, lowering), options.precision, isocenter::detail::launcher_of(plan), plan,
                            options.uploaded);
  }
  if (!options.on_grid) return executor;
  const Port& out = executor->outputs()[0];
  Shape expected = shape;
  expected[1] = out.shape.size() > 1 ? out.shape[1] : 0;
  if (out.shape != expected || out.type != ElementType::f32)
    throw Failure(ErrorCode::unsupported,
                  model.source + ": output '" + out.name + "' is " + to_text(out.shape) + " of " + name_of(out.type) +
                      " for an input of " + to_text(shape) + ", and float32 scores on the same grid are needed",
                  "use a network whose output has its input's extents");
  return executor;
}

void state_network(PlanContext& plan, const OnnxModel& model, const std::string& digest, const PlanSummary& s) {
  plan.fact("model", model.source);
  plan.fact("model_sha256", digest);
  plan.fact("engine", s.engine);
  plan.fact("precision", s.precision);
  plan.fact("arena_bytes", std::to_string(s.arena_bytes));
  plan.fact("weights_bytes",
            std::to_string(s.constant_bytes) + (s.shared_constants ? ", another session's" : ", of this session"));
  if (s.kept) plan.fact("plan", "kept from a session that ended");
  plan.fact("nodes", std::to_string(s.nodes) + ", of them reorders " + std::to_string(s.reorders) +
                         ", in plain loops " + std::to_string(s.reference_nodes.size()));
  if (!s.reference_nodes.empty())
    plan.warn(model.source + ": " + std::to_string(s.reference_nodes.size()) +
                  " nodes run in plain loops on one thread, " + s.reference_nodes[0] + " first",
              "expect them to be slow; weights that are constants make convolutions fast");
}

}  // namespace isocenter::infer
