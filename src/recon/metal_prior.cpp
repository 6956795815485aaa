#include <isocenter/recon/metal_prior.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "recon/correction_input.hpp"
#include "recon/metal_artefact_reduction.hpp"

namespace isocenter::detail {

class MetalPriorOperator : public OperatorBase<MetalPrior> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = grid_shape(input, "input", "voxels", DType::float32);
    if (shape_.has_time)
      throw Failure(ErrorCode::bad_data, "input 'input' has a time axis", "correct the volume of each phase by itself");
    if (input.text("unit") != "HU")
      throw Failure(ErrorCode::bad_data, "input 'input' is in '" + input.text("unit") + "', and HU is needed",
                    "set unit of the reconstruction to HU, or put hounsfield_calibration before this node");
    if (!(params.air_below_hu < params.bone_from_hu) || !(params.bone_from_hu < params.metal_from_hu))
      throw Failure(ErrorCode::invalid_argument,
                    "air_below_hu, bone_from_hu and metal_from_hu are " + text_of(params.air_below_hu) + ", " +
                        text_of(params.bone_from_hu) + " and " + text_of(params.metal_from_hu),
                    "let them rise in this order");
    PayloadRef metal = plan.output("metal");
    metal.set_text("unit", "1/mm");
    metal.like(input);
    plan.output("prior").like(input);
    plan.require_kernel<MetalPriorKernel>();
  }

  void run(const RunContext& run) override {
    const auto voxels = [](const PayloadRef& p) { return p.tensor("voxels").as<float>(); };
    launch(launcher_of(run),
           MetalPriorKernel{voxels(run.input("input")), voxels(run.output("metal")), voxels(run.output("prior")),
                            shape_.nx, shape_.ny, static_cast<float>(params.air_below_hu),
                            static_cast<float>(params.bone_from_hu), static_cast<float>(params.metal_from_hu), -1000.0F,
                            static_cast<float>(params.soft_tissue_hu)},
           shape_.nx, shape_.ny, shape_.nz);
  }

 private:
  GridShape shape_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(metal_prior, MetalPriorOperator)
