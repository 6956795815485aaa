#include "denoise/bilateral_denoise.hpp"

#include <cmath>
#include <isocenter/denoise/bilateral_denoise.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"

namespace isocenter::detail {

class BilateralDenoiseOperator : public OperatorBase<BilateralDenoise> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = grid_shape(plan.input("input"), "input", "voxels", DType::float32);
    const double* spacing = shape_.geometry.spacing_mm;
    kernel_ = {nullptr,
               nullptr,
               shape_.nx,
               shape_.ny,
               shape_.nz,
               radius(0),
               radius(1),
               radius(2),
               weight(spacing[0]),
               weight(spacing[1]),
               weight(spacing[2]),
               0.5F / (params.sigma_range * params.sigma_range)};
    plan.output("output").like(plan.input("input"));
    plan.require_kernel<BilateralKernel>();
  }

  void run(const RunContext& run) override {
    kernel_.in = run.input("input").tensor("voxels").as<const float>();
    kernel_.out = run.output("output").tensor("voxels").as<float>();
    launch(launcher_of(run), kernel_, shape_.nx, shape_.ny, shape_.nz * shape_.nt);
  }

 private:
  /// Two standard deviations in voxels.
  int radius(int axis) const {
    constexpr int limit = 16;
    const double spacing = shape_.geometry.spacing_mm[axis];
    const double r = std::ceil(2.0 * params.sigma_space_mm / spacing);
    if (r > limit)
      throw Failure(ErrorCode::invalid_argument,
                    "sigma_space_mm = " + text(params.sigma_space_mm) + " reaches " + text(r) + " voxels along " +
                        "xyz"[axis] + " (spacing " + text(spacing) + " mm), and at most " + std::to_string(limit) +
                        " are allowed",
                    "use a sigma_space_mm of at most " + text(0.5 * limit * spacing) + ", or a coarser grid");
    return static_cast<int>(r);
  }
  float weight(double spacing) const {
    return static_cast<float>(0.5 * spacing * spacing /
                              (static_cast<double>(params.sigma_space_mm) * params.sigma_space_mm));
  }
  static std::string text(double v) { return to_parameter_text(static_cast<float>(v)); }

  GridShape shape_;
  BilateralKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(bilateral_denoise, BilateralDenoiseOperator)
