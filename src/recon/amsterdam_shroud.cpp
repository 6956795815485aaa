#include <cmath>
#include <filesystem>
#include <fstream>
#include <isocenter/recon/amsterdam_shroud.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/acquisition_check.hpp"
#include "recon/geometry_text.hpp"
#include "recon/motion_phase.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/shroud.hpp"

namespace isocenter::detail {

class AmsterdamShroudOperator : public OperatorBase<AmsterdamShroud> {
 public:
  void plan(PlanContext& plan) override {
    const Acquisition scan =
        check_acquisition(plan, "input", {.least_views = 8, .method = "amsterdam_shroud", .any_arc = true});
    views_.assign(scan.views.begin(), scan.views.end());
    scan_ = {nullptr, static_cast<int>(views_.size()), scan.rows, scan.columns, views_[0].v_step_mm[2] > 0.0};
    check_rows();
    check_times();
    const double depth =
        scan.beam == Beam::cone ? detector_point(views_[0], scan.beam, scan.detector, isocentre_of(scan)).depth : 1.0;
    mm_per_row_ = std::fabs(depth * views_[0].v_step_mm[2]);
    const double length_s = views_.back().time_s - views_.front().time_s, step_s = length_s / (scan_.views - 1);
    reach_ = std::max(2, static_cast<int>(std::ceil(params.largest_speed_mm_s * step_s / mm_per_row_)));
    window_ = odd(params.longest_period_s / step_s);
    smooth_ = odd(params.smooth_s / step_s);

    const auto geometry = [&](double rows_mm) {
      Geometry g({step_s, rows_mm, 1}, {views_.front().time_s, 0, 0});
      return g;
    };
    plan.output("signal").set_tensor("voxels", tensor(DType::float32, "zyx", {1, 1, scan_.views}));
    plan.output("signal").set_geometry(geometry(1));
    plan.output("signal").set_text("unit", "mm");
    plan.output("shroud").set_tensor("voxels", tensor(DType::float32, "zyx", {1, scan_.rows, scan_.views}));
    plan.output("shroud").set_geometry(geometry(mm_per_row_));
    plan.output("shroud").set_text("unit", "1");
    work_doubles_ = 2 * static_cast<std::uint64_t>(scan_.views) + 1 + 2 * static_cast<std::uint64_t>(scan_.rows);
    plan.scratch(work_doubles_ * sizeof(double) +
                 static_cast<std::uint64_t>(scan_.rows) * static_cast<std::uint64_t>(scan_.views) * sizeof(float));
    plan.metric("breaths", "1", 1);
    plan.metric("period_s", "s", 1);
    with_signal_ = plan.output_used("signal");
    with_shroud_ = plan.output_used("shroud");
  }

  void run(const RunContext& run) override {
    scan_.projections = run.input("input").tensor("views").as<const float>();
    auto* signal = run.scratch<double>();
    auto* shroud = reinterpret_cast<float*>(signal + work_doubles_);
    if (with_shroud_) shroud = run.output("shroud").tensor("voxels").as<float>();
    make_shroud(launcher_of(run), scan_, shroud);
    run.check_cancelled();
    check_finite(shroud);
    const auto count = static_cast<std::size_t>(scan_.views);
    shroud_motion(shroud, scan_.views, scan_.rows, scan_.rows_upwards, reach_, signal, signal + count);
    for (std::size_t n = 0; n < count; ++n) signal[n] *= mm_per_row_;
    take_moving_mean({signal, count}, window_, true, signal + count);
    if (smooth_ > 1) take_moving_mean({signal, count}, smooth_, false, signal + count);

    const std::vector<double> starts = exhalation_times({signal, count}, views_);
    if (starts.size() < 2)
      throw Failure(ErrorCode::bad_data, "the projections show no two exhalations",
                    "check that the diaphragm is seen in all views and that the scan covers two breaths or more");
    run.metric("breaths", static_cast<double>(starts.size() - 1));
    run.metric("period_s", (starts.back() - starts.front()) / static_cast<double>(starts.size() - 1));
    if (with_signal_) {
      auto* out = run.output("signal").tensor("voxels").as<float>();
      for (std::size_t n = 0; n < count; ++n) out[n] = static_cast<float>(signal[n]);
    }
    if (!params.signal_file.empty()) write_signal({signal, count});
  }

 private:
  static int odd(double views) { return 2 * static_cast<int>(std::lround(0.5 * (views - 1.0))) + 1; }

  void check_rows() const {
    if (scan_.rows < 8)
      throw Failure(ErrorCode::bad_data,
                    "the projections have " + std::to_string(scan_.rows) + " rows, and a shroud needs eight or more",
                    "give all rows of the detector");
    for (std::size_t n = 0; n < views_.size(); ++n)
      if (std::fabs(views_[n].v_step_mm[2]) < 0.9 * length(views_[n].v_step_mm))
        throw Failure(ErrorCode::unsupported,
                      "the detector rows of view " + std::to_string(n) + " do not step along the patient's z axis",
                      "give views whose rows are across the patient");
  }

  void check_times() const {
    for (std::size_t n = 1; n < views_.size(); ++n)
      if (!(views_[n].time_s > views_[n - 1].time_s))
        throw Failure(ErrorCode::bad_data, "view " + std::to_string(n) + " was not taken after the view in front of it",
                      "give the views in the order of their time stamps (time_s in acquisition.views)");
    const double length_s = views_.back().time_s - views_.front().time_s;
    if (length_s < params.longest_period_s)
      throw Failure(ErrorCode::bad_data,
                    "the scan takes " + exact_text(length_s) +
                        " s, and longest_period_s = " + exact_text(params.longest_period_s),
                    "scan for several breaths, or lower longest_period_s");
  }

  void check_finite(const float* shroud) const {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(scan_.rows) * scan_.views; ++i)
      if (!std::isfinite(shroud[i]))
        throw Failure(ErrorCode::bad_data,
                      "view " + std::to_string(i % scan_.views) + " has readings that are no numbers about row " +
                          std::to_string(i / scan_.views),
                      "put line_integrals before this node, which names and repairs such readings");
  }

  /// Whole or not at all: a file beside it takes its place when it is complete.
  void write_signal(std::span<const double> signal) const {
    const std::filesystem::path part = params.signal_file + ".part";
    {
      std::ofstream file(part);
      for (const double v : signal) file << exact_text(v) << '\n';
      file.flush();
      if (!file)
        throw Failure(ErrorCode::bad_data, "signal_file '" + params.signal_file + "' cannot be written",
                      "check the path and the disk");
    }
    std::error_code error;
    std::filesystem::rename(part, params.signal_file, error);
    if (error)
      throw Failure(ErrorCode::bad_data,
                    "signal_file '" + params.signal_file + "' cannot be written: " + error.message(),
                    "check the path and the disk");
  }

  ShroudScan scan_{};
  std::vector<View> views_;
  double mm_per_row_ = 1;
  int reach_ = 2, window_ = 1, smooth_ = 1;
  std::uint64_t work_doubles_ = 0;
  bool with_signal_ = true, with_shroud_ = true;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(amsterdam_shroud, AmsterdamShroudOperator)
