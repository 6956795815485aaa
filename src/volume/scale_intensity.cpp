#include <isocenter/volume/scale_intensity.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "volume/intensity.hpp"

namespace isocenter::detail {

class ScaleIntensityOperator : public OperatorBase<ScaleIntensity> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = grid_shape(plan.input("input"), "input", "voxels", DType::float32);
    measured_ = shape_;
    if (plan.has_input("measured")) plan_measured(plan.input("measured"));
    check("low", params.low, "high", params.high, params.method == IntensityMethod::window);
    check("lower_percentile", params.lower_percentile, "upper_percentile", params.upper_percentile,
          params.method == IntensityMethod::percentiles);
    how_.kind = static_cast<IntensityScaling::Kind>(params.method);
    if (how_.kind == IntensityScaling::Kind::percentiles && measured_.frame_voxels() > UINT32_MAX)
      throw Failure(ErrorCode::unsupported,
                    "what is measured has " + std::to_string(measured_.frame_voxels()) +
                        " voxels a frame, and method = " + "percentiles counts up to " + std::to_string(UINT32_MAX),
                    "crop or resample the volume first, or set method to window or z_score");
    how_.which.nonzero = params.nonzero;
    how_.percentile[0] = params.lower_percentile;
    how_.percentile[1] = params.upper_percentile;
    how_.from = static_cast<float>(params.from);
    how_.to = static_cast<float>(params.to);
    how_.clip = params.clip;
    const ValueScale fixed = window_scale(params.low, params.high, params.from, params.to, params.clip);
    scale_ = plan.upload<ValueScale>(std::span(&fixed, 1), "intensity scale");
    plan.scratch(static_cast<std::uint64_t>(how_.work_bytes(measured_.ny, measured_.nz)));
    PayloadRef out = plan.output("output");
    out.like(plan.input("input"));
    isocenter_payload_set_text(out.get(), "unit", nullptr, nullptr);
    require_scaling(plan, how_.kind);
  }

  void run(const RunContext& run) override {
    const auto* in = run.input("input").tensor("voxels").as<const float>();
    const float* measured = run.has_input("measured") ? run.input("measured").tensor("voxels").as<const float>() : in;
    auto* out = run.output("output").tensor("voxels").as<float>();
    const Launcher launcher = launcher_of(run);
    for (int t = 0; t < shape_.nt; ++t) {
      run.check_cancelled();
      const std::int64_t at = t * shape_.frame_voxels();
      measure_intensity(launcher, how_, measured + t * measured_.frame_voxels(), measured_.nx, measured_.ny,
                        measured_.nz, run.scratch(), scale_);
      launch(launcher, ScaleValuesKernel{in + at, out + at, scale_, shape_.nx, shape_.ny, how_.which}, shape_.nx,
             shape_.ny, shape_.nz);
      run.progress(static_cast<double>(t + 1) / shape_.nt);
    }
  }

 private:
  static void check(const std::string& low_name, double low, const std::string& high_name, double high, bool used) {
    if (used && !(low < high))
      throw Failure(
          ErrorCode::invalid_argument,
          low_name + " = " + to_parameter_text(low) + " is not below " + high_name + " = " + to_parameter_text(high),
          "give the lower end first");
  }

  void plan_measured(const PayloadRef& measured) {
    measured_ = grid_shape(measured, "measured", "voxels", DType::float32);
    if (measured_.nt != shape_.nt)
      throw Failure(ErrorCode::bad_data,
                    "input 'measured' has " + std::to_string(measured_.nt) + " time frames and input 'input' " +
                        std::to_string(shape_.nt),
                    "connect a volume of as many frames");
    if (params.method == IntensityMethod::window)
      throw Failure(ErrorCode::invalid_argument, "method = window measures nothing, and input 'measured' is connected",
                    "set method to z_score or percentiles, or leave 'measured' away");
  }

  GridShape shape_, measured_;
  IntensityScaling how_;
  ValueScale* scale_ = nullptr;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(scale_intensity, ScaleIntensityOperator)
