#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/acquisition.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "phantom/chosen_phantom.hpp"
#include "phantom/raw_data.hpp"

namespace isocenter::detail {

class PhantomProjectionsOperator : public OperatorBase<PhantomProjections> {
 public:
  void plan(PlanContext& plan) override {
    if (params.source_to_detector_mm <= params.source_to_isocenter_mm && params.beam != PhantomBeam::parallel)
      throw Failure(ErrorCode::invalid_argument,
                    "source_to_detector_mm = " + to_parameter_text(params.source_to_detector_mm) +
                        " is not above source_to_isocenter_mm = " + to_parameter_text(params.source_to_isocenter_mm) +
                        ", so the detector is not behind the patient",
                    "give a larger source_to_detector_mm");
    if (params.beam == PhantomBeam::fan && params.rows != 1)
      throw Failure(ErrorCode::invalid_argument, "rows = " + std::to_string(params.rows) + ", and a fan has one row",
                    "set rows to 1, or beam to cone");
    solids_ = reserved_solids();
    make_phantom(params, 0, params.time_s, &solids_);
    if (params.beam != PhantomBeam::parallel && reach_from_axis_mm(solids_) >= params.source_to_isocenter_mm)
      throw Failure(ErrorCode::invalid_argument,
                    "source_to_isocenter_mm = " + to_parameter_text(params.source_to_isocenter_mm) +
                        " puts the source inside the phantom, which reaches " +
                        std::to_string(static_cast<int>(reach_from_axis_mm(solids_))) + " mm from the axis",
                    "move the source away or make the phantom smaller");

    const CircularOrbit orbit = orbit_of_params();
    beam_ = orbit.beam;
    views_ = orbit.build();
    for (View& v : views_) v.time_s += params.time_s;
    PayloadRef output = plan.output("output");
    output.set_tensor("views", tensor(DType::float32, "nvu", {params.views, params.rows, params.columns}));
    set_views(output, views_, beam_);
    output.set_numbers("mu_water_per_mm", {&params.mu_water_per_mm, 1});
    output.set_text("unit", "1");
    if (params.phantom == PhantomKind::moving_thorax) {
      std::vector<double> signal(views_.size());
      for (std::size_t n = 0; n < views_.size(); ++n)
        signal[n] = breathing(views_[n].time_s, params.breathing_period_s);
      output.set_numbers("motion.signal", signal);
    }
    plan.items(params.count);
  }

  void run(const RunContext& run) override {
    if (run.sequence() >= params.count) throw EndOfStream{};
    const Launcher threads = launcher_of(run);
    auto* data = run.output("output").tensor("views").as<float>();
    const int rows = static_cast<int>(params.rows), columns = static_cast<int>(params.columns);
    const std::int64_t elements = params.rows * params.columns;
    const bool moves = params.phantom == PhantomKind::moving_thorax;
    for (std::size_t n = 0; n < views_.size(); ++n) {
      run.check_cancelled();
      if (n == 0 || moves) make_phantom(params, run.sequence(), views_[n].time_s, &solids_);
      float* view = data + static_cast<std::int64_t>(n) * elements;
      project(threads, solids_, views_[n], beam_, rows, columns, params.mu_water_per_mm, view);
      if (params.photons > 0.0)
        add_photon_noise(
            threads, {view, static_cast<std::size_t>(elements)}, params.photons,
            static_cast<std::uint64_t>(params.noise_seed),
            (static_cast<std::uint64_t>(run.sequence()) * views_.size() + n) * static_cast<std::uint64_t>(elements));
      run.progress(static_cast<double>(n + 1) / static_cast<double>(views_.size()));
    }
  }

 private:
  CircularOrbit orbit_of_params() const {
    constexpr double radian = std::numbers::pi / 180.0;
    CircularOrbit o;
    o.views = static_cast<int>(params.views);
    o.columns = static_cast<int>(params.columns);
    o.rows = static_cast<int>(params.rows);
    o.source_to_isocenter_mm = params.source_to_isocenter_mm;
    o.source_to_detector_mm = params.source_to_detector_mm;
    o.column_step_mm = params.column_step_mm;
    o.row_step_mm = params.row_step_mm;
    o.first_angle_rad = params.first_angle_deg * radian;
    o.arc_rad = params.arc_deg * radian;
    o.seconds = params.seconds;
    o.detector_offset_u_mm = params.detector_offset_u_mm;
    o.detector_offset_v_mm = params.detector_offset_v_mm;
    o.beam = params.beam == PhantomBeam::parallel ? Beam::parallel : Beam::cone;
    return o;
  }

  std::vector<View> views_;
  Beam beam_ = Beam::cone;
  Solids solids_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(phantom_projections, PhantomProjectionsOperator)
