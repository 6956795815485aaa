#include <isocenter/volume/fill_holes.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/part_input.hpp"

namespace isocenter::detail {

class FillHolesOperator : public OperatorBase<FillHoles> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = part_shape(plan.input("input"));
    plan.scratch(static_cast<std::uint64_t>(shape_.frame_voxels()) * 4);
    plan.output("output").like(plan.input("input"), "labels");
    require_found_parts(plan);
    plan.require_kernel<NoteHolesKernel>();
    plan.require_kernel<FillHolesKernel>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("labels").as<const std::uint8_t>();
    auto* out = run.output("output").tensor("labels").as<std::uint8_t>();
    auto* parent = run.scratch<std::int32_t>();
    const bool flat = params.in == HoleShape::slices;
    for (int t = 0; t < shape_.nt; ++t) {
      run.check_cancelled();
      const std::int64_t at = t * shape_.frame_voxels();
      const PartGrid grid{shape_.nx, shape_.ny, shape_.nz, in + at, PartRule::background};
      find_parts(launcher, grid, parent, 6, flat);
      launch(launcher, NoteHolesKernel{grid, parent, flat}, shape_.nx, shape_.ny, shape_.nz);
      launch(launcher, FillHolesKernel{grid, parent, out + at}, shape_.nx, shape_.ny, shape_.nz);
      run.progress(static_cast<double>(t + 1) / shape_.nt);
    }
  }

 private:
  GridShape shape_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(fill_holes, FillHolesOperator)
