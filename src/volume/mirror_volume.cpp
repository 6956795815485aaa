#include <isocenter/dense.hpp>
#include <isocenter/volume/mirror_volume.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "volume/mirror.hpp"

namespace isocenter::detail {

class MirrorVolumeOperator : public OperatorBase<MirrorVolume> {
 public:
  void plan(PlanContext& plan) override {
    const TensorView t = plan.input("input").tensor("voxels");
    const std::string_view axes = t.axes;
    if (!axes.ends_with("zyx") || t.type() != DType::float32)
      throw Failure(
          ErrorCode::bad_data,
          "input 'input' has the axes '" + std::string(axes) + "', and float32 with 'zyx' at the end is needed",
          "order the axes with x fastest");
    if (!is_dense(t))
      throw Failure(ErrorCode::bad_data, "input 'input' is not dense", "copy it into a dense tensor, x fastest");
    if (!params.x && !params.y && !params.z)
      throw Failure(ErrorCode::invalid_argument, "x, y and z are all false, and nothing would be mirrored",
                    "set at least one to true, or take the node out");
    kernel_ = {nullptr,
               nullptr,
               static_cast<int>(t.extent('x')),
               static_cast<int>(t.extent('y')),
               static_cast<int>(t.extent('z')),
               {params.x, params.y, params.z}};
    const std::int64_t slices = t.count() / t.extent('x') / t.extent('y');
    if (slices > INT32_MAX)
      throw Failure(ErrorCode::unsupported, "input 'input' has " + std::to_string(slices) + " slices in all",
                    "give fewer time frames or channels at a time");
    slices_ = static_cast<int>(slices);
    plan.output("output").like(plan.input("input"));
    plan.require_kernel<MirrorKernel>();
  }

  void run(const RunContext& run) override {
    kernel_.in = run.input("input").tensor("voxels").as<const float>();
    kernel_.out = run.output("output").tensor("voxels").as<float>();
    launch(launcher_of(run), kernel_, kernel_.nx, kernel_.ny, slices_);
  }

 private:
  MirrorKernel kernel_{};
  int slices_ = 0;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(mirror_volume, MirrorVolumeOperator)
