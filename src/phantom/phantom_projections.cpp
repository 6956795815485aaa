#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/orbits.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "phantom/chosen_phantom.hpp"
#include "phantom/raw_data.hpp"
#include "recon/acquisition_check.hpp"
#include "recon/geometry_file.hpp"

namespace isocenter::detail {

class PhantomProjectionsOperator : public OperatorBase<PhantomProjections> {
 public:
  void plan(PlanContext& plan) override {
    if (params.beam == PhantomBeam::fan && params.rows != 1)
      throw Failure(ErrorCode::invalid_argument, "rows = " + std::to_string(params.rows) + ", and a fan has one row",
                    "set rows to 1, or beam to cone");
    solids_ = reserved_solids();
    make_phantom(params, 0, params.time_s, &solids_);
    beam_ = params.beam == PhantomBeam::parallel ? Beam::parallel : Beam::cone;
    detector_ = params.detector == PhantomDetector::curved ? DetectorShape::curved : DetectorShape::flat;
    if (params.geometry_file.empty()) {
      check_orbit();
      views_ = build_orbit();
    } else {
      read_file(plan);
    }
    misalign();
    const auto count = static_cast<std::int64_t>(views_.size());
    check_acquisition({views_, beam_, detector_, static_cast<int>(params.rows), static_cast<int>(params.columns)},
                      {.least_views = 1, .method = PhantomProjections::name});
    if (count % params.blocks != 0)
      throw Failure(ErrorCode::invalid_argument,
                    "blocks = " + std::to_string(params.blocks) + " does not divide the " + std::to_string(count) +
                        " views, and every block has equally many",
                    "choose a divisor of the number of views");
    for (View& v : views_) v.time_s += params.time_s;
    PayloadRef output = plan.output("output");
    output.set_tensor("views", tensor(DType::float32, "nvu", {count / params.blocks, params.rows, params.columns}));
    if (params.blocks > 1) set_view_blocks(output, params.blocks);
    set_views(output, views_, beam_, detector_);
    output.set_numbers("mu_water_per_mm", {&params.mu_water_per_mm, 1});
    output.set_text("unit", "1");
    if (params.phantom == PhantomKind::moving_thorax) {
      std::vector<double> signal(views_.size());
      for (std::size_t n = 0; n < views_.size(); ++n)
        signal[n] = breathing(views_[n].time_s, params.breathing_period_s);
      output.set_numbers("motion.signal", signal);
    }
    plan.items(params.count * params.blocks);
  }

  void run(const RunContext& run) override {
    const std::int64_t scan = run.sequence() / params.blocks;
    if (scan >= params.count) throw EndOfStream{};
    const Launcher threads = launcher_of(run);
    auto* data = run.output("output").tensor("views").as<float>();
    const int rows = static_cast<int>(params.rows), columns = static_cast<int>(params.columns);
    const std::int64_t elements = params.rows * params.columns;
    const bool moves = params.phantom == PhantomKind::moving_thorax;
    const std::size_t count = views_.size() / static_cast<std::size_t>(params.blocks);
    const std::size_t first = static_cast<std::size_t>(run.sequence() % params.blocks) * count;
    for (std::size_t n = first; n < first + count; ++n) {
      run.check_cancelled();
      if (n == first || moves) make_phantom(params, scan, views_[n].time_s, &solids_);
      float* view = data + static_cast<std::int64_t>(n - first) * elements;
      project(threads, solids_, views_[n], beam_, rows, columns, params.mu_water_per_mm, view, detector_);
      if (params.photons > 0.0)
        add_photon_noise(threads, {view, static_cast<std::size_t>(elements)}, params.photons,
                         static_cast<std::uint64_t>(params.noise_seed),
                         (static_cast<std::uint64_t>(scan) * views_.size() + n) * static_cast<std::uint64_t>(elements));
      run.progress(static_cast<double>(n + 1 - first) / static_cast<double>(count));
    }
  }

 private:
  void check_orbit() const {
    const auto refuse = [](const std::string& what, const char* fix) {
      throw Failure(ErrorCode::invalid_argument, what, fix);
    };
    const bool parallel = beam_ == Beam::parallel, curved = detector_ == DetectorShape::curved;
    const bool tomosynthesis =
        params.orbit == PhantomOrbit::tomosynthesis_arc || params.orbit == PhantomOrbit::tomosynthesis_line;
    const std::string orbit =
        std::string("orbit = ") + PhantomProjections::Params::orbits[static_cast<std::size_t>(params.orbit)];
    if (!parallel && params.source_to_detector_mm <= params.source_to_isocenter_mm)
      refuse("source_to_detector_mm = " + to_parameter_text(params.source_to_detector_mm) +
                 " is not above source_to_isocenter_mm = " + to_parameter_text(params.source_to_isocenter_mm) +
                 ", so the detector is not behind the patient",
             "give a larger source_to_detector_mm");
    if (!parallel && reach_from_axis_mm(solids_) >= params.source_to_isocenter_mm)
      refuse("source_to_isocenter_mm = " + to_parameter_text(params.source_to_isocenter_mm) +
                 " puts the source inside the phantom, which reaches " +
                 std::to_string(static_cast<int>(reach_from_axis_mm(solids_))) + " mm from the axis",
             "move the source away or make the phantom smaller");
    if (curved && (parallel || tomosynthesis))
      refuse("detector = curved with " + (parallel ? "beam = parallel" : orbit) +
                 ", and a curved detector lies around a focal spot that turns with it",
             "set detector to flat");
    if (tomosynthesis && parallel) refuse(orbit + " with beam = parallel has no source to move", "set beam to cone");
    if (params.orbit == PhantomOrbit::tomosynthesis_arc && std::fabs(params.arc_deg) >= 180.0)
      refuse("arc_deg = " + to_parameter_text(params.arc_deg) + " takes the source of " + orbit +
                 " behind its resting detector",
             "set arc_deg below 180, 15 to 60 are usual");
  }

  std::vector<View> build_orbit() const {
    const CircularOrbit circle = circle_of_params();
    const RestingDetector resting{circle.columns,
                                  circle.rows,
                                  circle.column_step_mm,
                                  circle.row_step_mm,
                                  circle.source_to_detector_mm - circle.source_to_isocenter_mm,
                                  circle.detector_offset_u_mm,
                                  circle.detector_offset_v_mm};
    switch (params.orbit) {
      case PhantomOrbit::circle:
        return circle.build();
      case PhantomOrbit::short_scan:
        return short_scan(circle).build();
      case PhantomOrbit::helix:
        return HelicalOrbit{circle, params.pitch}.build();
      case PhantomOrbit::tomosynthesis_arc:
        return TomosynthesisArc{.views = circle.views,
                                .detector = resting,
                                .source_to_isocenter_mm = circle.source_to_isocenter_mm,
                                .arc_rad = circle.arc_rad,
                                .seconds = circle.seconds}
            .build();
      case PhantomOrbit::tomosynthesis_line:
        return TomosynthesisLine{.views = circle.views,
                                 .detector = resting,
                                 .source_to_isocenter_mm = circle.source_to_isocenter_mm,
                                 .travel_mm = params.travel_mm,
                                 .detector_travel_mm = params.detector_travel_mm,
                                 .seconds = circle.seconds}
            .build();
    }
    return {};
  }

  void read_file(PlanContext& plan) {
    const double u =
        params.detector_offset_u_mm - 0.5 * static_cast<double>(params.columns - 1) * params.column_step_mm;
    const double v = params.detector_offset_v_mm - 0.5 * static_cast<double>(params.rows - 1) * params.row_step_mm;
    ScanGeometry scan = read_geometry_file(params.geometry_file, {{u, v, params.column_step_mm, params.row_step_mm}});
    for (const std::string& name : scan.ignored)
      plan.warn("'" + params.geometry_file + "' has " + name + ", which is not applied", "crop the projections");
    plan.fact("geometry_file", params.geometry_file);
    plan.fact("geometry_format", scan.format);
    views_ = std::move(scan.views);
    beam_ = scan.beam;
    detector_ = scan.detector;
  }

  void misalign() {
    if (params.misalignment_mm == 0.0 && params.misalignment_deg == 0.0) return;
    const bool flat = detector_ == DetectorShape::flat;
    const double turn = params.misalignment_deg * std::numbers::pi / 180.0;
    views_ = misaligned(std::move(views_), beam_, static_cast<int>(params.columns), static_cast<int>(params.rows),
                        {.shift_mm = params.misalignment_mm,
                         .turn_rad = turn,
                         .detector_shift_mm = flat ? params.misalignment_mm : 0.0,
                         .detector_turn_rad = flat ? turn : 0.0,
                         .seed = static_cast<std::uint64_t>(params.noise_seed)});
  }

  CircularOrbit circle_of_params() const {
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
    o.beam = beam_;
    o.detector = detector_;
    return o;
  }

  std::vector<View> views_;
  Beam beam_ = Beam::cone;
  DetectorShape detector_ = DetectorShape::flat;
  Solids solids_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(phantom_projections, PhantomProjectionsOperator)
