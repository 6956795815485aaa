#include "recon/hounsfield_calibration.hpp"

#include <cmath>
#include <isocenter/recon/hounsfield_calibration.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "recon/correction_input.hpp"

namespace isocenter::detail {

class HounsfieldCalibrationOperator : public OperatorBase<HounsfieldCalibration> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = grid_shape(plan.input("input"), "input", "voxels", DType::float32);
    PayloadRef output = plan.output("output");
    output.set_text("unit", "HU");
    output.like(plan.input("input"));
    given_ = !params.measured_values.empty() || !params.nominal_hu.empty();
    if (given_) {
      const std::array<double, 2> line = line_through_inserts();
      line_ = plan.upload(std::span<const double>(std::array<double, 6>{line[0], line[1], 0, 0, 0, 0}),
                          "the calibration's line");
      plan.fact("hounsfield_calibration.slope", to_parameter_text(line[0]));
      plan.fact("hounsfield_calibration.intercept", to_parameter_text(line[1]));
    } else {
      plan_regions(plan);
    }
    plan.require_kernel<ApplyCalibration>();
    for (const char* name : {"slope", "intercept", "water", "air"}) plan.metric(name, "", 1);
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("voxels").as<const float>();
    const int nz = shape_.nz * shape_.nt;
    if (!given_) {
      double* sums[2] = {nullptr, nullptr};
      for (int i = 0; i < 2; ++i) {
        if (!measured_[i]) continue;
        sums[i] = run.scratch<double>() + 2 * i * rows();
        launch(launcher, RegionRowSums{in, sums[i], shape_.nx, shape_.ny, shape_.nz, region_[i]}, shape_.ny, nz, 1);
      }
      launch(launcher, CalibrationLine{sums[0], sums[1], rows(), params.water_value, params.air_value, line_}, 1, 1, 1);
    }
    report(run);
    launch(launcher,
           ApplyCalibration{in, run.output("output").tensor("voxels").as<float>(), line_, shape_.nx, shape_.ny},
           shape_.nx, shape_.ny, nz);
  }

 private:
  std::int64_t rows() const { return static_cast<std::int64_t>(shape_.ny) * shape_.nz * shape_.nt; }

  /// Slope and intercept by least squares.
  std::array<double, 2> line_through_inserts() const {
    const auto& v = params.measured_values;
    const auto& hu = params.nominal_hu;
    if (v.size() != hu.size() || v.size() < 2)
      throw Failure(
          ErrorCode::invalid_argument,
          "there are " + std::to_string(v.size()) + " measured_values and " + std::to_string(hu.size()) + " nominal_hu",
          "give one of each for each insert, and two inserts at least");
    const auto n = static_cast<double>(v.size());
    double mean_v = 0.0, mean_hu = 0.0, vv = 0.0, vh = 0.0;
    for (std::size_t i = 0; i < v.size(); ++i) mean_v += v[i] / n, mean_hu += hu[i] / n;
    for (std::size_t i = 0; i < v.size(); ++i) {
      vv += (v[i] - mean_v) * (v[i] - mean_v);
      vh += (v[i] - mean_v) * (hu[i] - mean_hu);
    }
    if (!(vv > 0.0))
      throw Failure(ErrorCode::invalid_argument, "all measured_values are the same",
                    "give inserts of different attenuation");
    return {vh / vv, mean_hu - vh / vv * mean_v};
  }

  void plan_regions(PlanContext& plan) {
    region_[0] = region("water", params.water_centre_mm, params.water_radius_mm, &measured_[0]);
    region_[1] = region("air", params.air_centre_mm, params.air_radius_mm, &measured_[1]);
    if (!measured_[0] && !measured_[1] && params.water_value == params.air_value)
      throw Failure(
          ErrorCode::invalid_argument,
          "water_value and air_value are both " + text_of(params.water_value) + ", and neither is measured in a region",
          "give their values, or where they are, or the inserts' measured_values and nominal_hu");
    line_ = plan.allocate<double>(6, "the calibration's line");
    plan.scratch(static_cast<std::uint64_t>(4 * rows()) * sizeof(double));
    plan.require_kernel<RegionRowSums>();
    plan.require_kernel<CalibrationLine>();
  }

  CalibrationRegion region(const char* what, const std::vector<double>& centre, double radius, bool* measured) const {
    *measured = radius > 0.0;
    if (!*measured) return {};
    if (centre.size() != 3)
      throw Failure(
          ErrorCode::invalid_argument,
          std::string(what) + "_centre_mm has " + std::to_string(centre.size()) + " numbers, and three are needed",
          "give x, y, z in the patient frame");
    CalibrationRegion r{};
    const int extent[3] = {shape_.nx, shape_.ny, shape_.nz};
    for (std::size_t k = 0; k < 3; ++k) {
      const auto axis = shape_.geometry.axis(static_cast<int>(k));
      double along = 0.0;
      for (std::size_t i = 0; i < 3; ++i) along += axis[i] * (centre[i] - shape_.geometry.origin_mm[i]);
      const double at = along / shape_.geometry.spacing_mm[k];
      const bool free = k == 2 && params.all_slices;
      r.centre[k] = static_cast<float>(at);
      r.inverse_radius[k] = free ? 0.0F : static_cast<float>(shape_.geometry.spacing_mm[k] / radius);
      if (!free && (at < -0.5 || at > extent[k] - 0.5))
        throw Failure(ErrorCode::invalid_argument,
                      std::string(what) + "_centre_mm lies outside of the volume along its axis " + "xyz"[k] +
                          " (voxel " + text_of(at) + " of " + std::to_string(extent[k]) + ")",
                      "give a point inside, in mm in the patient frame");
    }
    return r;
  }

  void report(const RunContext& run) const {
    double line[6];
    run.copy(line, line_, sizeof line);
    run.wait();
    const char* names[2] = {"water", "air"};
    for (int i = 0; i < 2 && !given_; ++i) {
      if (measured_[i] && line[3 + 2 * i] == 0.0)
        throw Failure(ErrorCode::bad_data, std::string("no voxel's centre lies in the region of ") + names[i],
                      std::string("enlarge ") + names[i] + "_radius_mm");
      run.metric(names[i], line[2 + 2 * i]);
    }
    if (!std::isfinite(line[0]) || line[0] == 0.0)
      throw Failure(ErrorCode::bad_data,
                    "water is " + text_of(line[2]) + " and air " + text_of(line[4]) + ", which make no scale",
                    "check the two regions, and the volume for NaN");
    if (line[0] < 0.0)
      throw Failure(ErrorCode::bad_data,
                    given_ ? "the line through the inserts falls: larger measured_values have smaller nominal_hu"
                           : "water, " + text_of(line[2]) + ", is below air, " + text_of(line[4]),
                    given_ ? "give both lists in the same order" : "check whether the two are exchanged");
    run.metric("slope", line[0]);
    run.metric("intercept", line[1]);
  }

  GridShape shape_;
  bool given_ = false;
  bool measured_[2] = {false, false};
  CalibrationRegion region_[2] = {};
  double* line_ = nullptr;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(hounsfield_calibration, HounsfieldCalibrationOperator)
