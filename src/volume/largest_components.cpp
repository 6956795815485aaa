#include <isocenter/volume/largest_components.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/part_input.hpp"

namespace isocenter::detail {

class LargestComponentsOperator : public OperatorBase<LargestComponents> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = part_shape(plan.input("input"));
    if (params.keep == 0 && params.min_volume_mm3 == 0)
      throw Failure(ErrorCode::invalid_argument, "keep = 0 and min_volume_mm3 = 0 leave every part where it is",
                    "set keep to the number of parts, or min_volume_mm3 to the smallest volume");
    smallest_ = smallest_part(shape_, params.min_volume_mm3);
    parents_ = (shape_.frame_voxels() * 4 + 255) / 256 * 256;
    plan.scratch(static_cast<std::uint64_t>(parents_ + params.keep * 256 * 8));
    plan.output("output").like(plan.input("input"), "labels");
    require_parts(plan);
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("labels").as<const std::uint8_t>();
    auto* out = run.output("output").tensor("labels").as<std::uint8_t>();
    auto* parent = run.scratch<std::int32_t>();
    auto* limits = reinterpret_cast<unsigned long long*>(run.scratch<std::byte>() + parents_);
    const int keep = static_cast<int>(params.keep);
    for (int t = 0; t < shape_.nt; ++t) {
      run.check_cancelled();
      const std::int64_t at = t * shape_.frame_voxels();
      keep_parts(launcher, part_grid(shape_, in + at, params.by_label), parent, neighbours_of(params.connectivity),
                 keep, smallest_, limits, out + at);
      run.progress(static_cast<double>(t + 1) / shape_.nt);
    }
  }

 private:
  GridShape shape_;
  int smallest_ = 1;
  std::int64_t parents_ = 0;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(largest_components, LargestComponentsOperator)
