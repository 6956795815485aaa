#include "render/table_removal.hpp"

#include <cmath>
#include <isocenter/render/table_removal.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "render/render_input.hpp"

namespace isocenter::detail {

class TableRemovalOperator : public OperatorBase<TableRemoval> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = render_shape(plan.input("input"), "input", "voxels", DType::float32);
    const std::string unit = plan.input("input").text("unit");
    if (unit != "HU")
      throw Failure(ErrorCode::bad_data, "input 'input' has the unit '" + unit + "', and HU is needed",
                    "use it on CT only; give reconstructions their HU first");
    const double* spacing = shape_.geometry.spacing_mm;
    grid_ = {shape_.nx,
             shape_.ny,
             shape_.nz,
             static_cast<int>(std::lround(params.gap_mm / spacing[0])),
             static_cast<int>(std::lround(params.gap_mm / spacing[1])),
             static_cast<float>(params.threshold_hu),
             static_cast<float>(params.air_hu)};
    plan.output("output").like(plan.input("input"));
    plan.scratch(table_removal_scratch_bytes(grid_));
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("voxels").as<const float>();
    auto* out = run.output("output").tensor("voxels").as<float>();
    for (int frame = 0; frame < shape_.nt; ++frame) {
      run.check_cancelled();
      const std::int64_t at = frame * shape_.frame_voxels();
      if (remove_table(launcher, grid_, in + at, out + at, run.scratch()) == 0)
        run.warn("time frame " + std::to_string(frame) +
                     " holds nothing denser than threshold_hu = " + to_parameter_text(params.threshold_hu),
                 "lower threshold_hu, or check that the values are HU");
      run.progress(static_cast<double>(frame + 1) / shape_.nt);
    }
  }

 private:
  GridShape shape_;
  TableRemovalGrid grid_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(table_removal, TableRemovalOperator)
