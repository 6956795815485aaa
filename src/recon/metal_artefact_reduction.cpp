#include "recon/metal_artefact_reduction.hpp"

#include <isocenter/recon/metal_artefact_reduction.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/correction_input.hpp"

namespace isocenter::detail {

class MetalArtefactReductionOperator : public OperatorBase<MetalArtefactReduction> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = projection_shape(plan.input("input"), "input");
    for (const char* port : {"input", "prior"})
      if (plan.has_input(port)) check_line_integrals(plan.input(port), port);
    on_cpu_ = plan.on_cpu();
    for (const char* port : {"metal", "prior"}) {
      if (!plan.has_input(port)) continue;
      const ProjectionShape s = projection_shape(plan.input(port), port);
      check_same_detector(shape_, "input", s, port);
      if (s.views != shape_.views)
        throw Failure(ErrorCode::bad_data,
                      "input 'input' has " + std::to_string(shape_.views) + " views and input '" + port + "' " +
                          std::to_string(s.views),
                      "project the volume with the geometry of the measured projections");
    }
    plan.output("output").like(plan.input("input"), "views");
    plan.scratch(static_cast<std::uint64_t>(lines()) * sizeof(float));
    plan.require_kernel<MetalInpaint>();
    if (!on_cpu_) plan.host_scratch(static_cast<std::uint64_t>(lines()) * sizeof(float));
    plan.metric("replaced_percent", "%", 1);
    plan.metric("rows_all_metal", "", 1);
  }

  void run(const RunContext& run) override {
    const auto values = [&](const char* port) -> const float* {
      return run.has_input(port) ? run.input(port).tensor("views").as<const float>() : nullptr;
    };
    auto* replaced = run.scratch<float>();
    launch(launcher_of(run),
           MetalInpaint{values("input"), values("metal"), values("prior"),
                        run.output("output").tensor("views").as<float>(), replaced, shape_.columns, shape_.rows,
                        static_cast<int>(params.margin_columns), static_cast<float>(params.threshold_mm), guard},
           shape_.rows, shape_.views, 1);
    const float* read = for_host(run, on_cpu_, replaced, static_cast<std::uint64_t>(lines()), 0);
    run.wait();
    report(run, read);
  }

 private:
  /// Keeps the quotient finite where the prior is air; small against any tissue's line integral.
  static constexpr float guard = 0.01F;

  std::int64_t lines() const { return static_cast<std::int64_t>(shape_.views) * shape_.rows; }

  void report(const RunContext& run, const float* replaced) const {
    double samples = 0.0, rows = 0.0;
    for (std::int64_t i = 0; i < lines(); ++i) {
      if (replaced[i] < 0.0F)
        rows += 1.0;
      else
        samples += replaced[i];
    }
    run.metric("replaced_percent", 100.0 * samples / static_cast<double>(shape_.elements()));
    run.metric("rows_all_metal", rows);
    if (rows > 0.0)
      run.warn(text_of(rows) + " detector rows see metal in every column and stay as they are",
               "raise metal_from_hu of metal_prior, or threshold_mm");
  }

  ProjectionShape shape_;
  bool on_cpu_ = true;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(metal_artefact_reduction, MetalArtefactReductionOperator)
