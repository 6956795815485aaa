#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/phantom/phantom_parameters.hpp>

namespace isocenter::inline v1 {

enum class PhantomBeam { cone, fan, parallel };

/// The raw data: a phantom's exact line integrals as a scanner on a circular orbit would take them, each view at its
/// own time, with photon noise if wanted.
///
/// | port   | payload     | shape                      | unit |
/// |--------|-------------|----------------------------|------|
/// | output | Projections | views × rows × columns     | 1    |
///
/// Geometry: CircularOrbit in isocenter/recon/acquisition.hpp. A fan is a cone with one row; with a parallel beam the
/// detector's steps are those at the isocentre. Method: closed-form chords of every solid, in double.
/// Noise: counts are Poisson with mean photons · exp(-p), p' = ln(photons / max(counts, 1)); the draw of an element
/// depends on (noise_seed, item, element) alone, not on threads.
/// Attributes: "acquisition.views", "acquisition.beam", "mu_water_per_mm", and of the moving thorax "motion.signal",
/// the breathing depth in [0, 1] for each view. Errors: invalid_argument when the detector is not behind the isocentre,
/// a fan has more than one row, or the source would stand inside the phantom.
struct PhantomProjections {
  static constexpr const char* name = "phantom_projections";
  static constexpr const char* module = "phantom";
  static constexpr const char* summary = "Exact projections of an analytic phantom, moving and noisy if wanted.";
  static constexpr const char* help =
      "Line integrals in closed form, one for each detector element's centre. Runs on the CPU.";
  static constexpr bool host_only = true;
  struct Params {
    PhantomKind phantom = PhantomKind::shepp_logan;
    double radius_mm = 100;
    double height_mm = 200;
    std::int64_t seed = 0;
    double breathing_period_s = 4;
    double diaphragm_mm = 18;
    double lesion_motion_mm = 14;
    double lesion_radius_mm = 12;
    double heart_period_s = 0;
    double mu_water_per_mm = 0.02059;
    PhantomBeam beam = PhantomBeam::cone;
    std::int64_t views = 360, columns = 256, rows = 256;
    double source_to_isocenter_mm = 1000, source_to_detector_mm = 1500;
    double column_step_mm = 2, row_step_mm = 2;
    double first_angle_deg = 0, arc_deg = 360;
    double detector_offset_u_mm = 0, detector_offset_v_mm = 0;
    double time_s = 0;
    double seconds = 60;
    double photons = 0;
    std::int64_t noise_seed = 1;
    std::int64_t count = 1;
    static constexpr const char* beams[] = {"cone", "fan", "parallel"};
    static constexpr auto describe() {
      return std::tuple_cat(
          phantom_parameters<Params>(),
          std::tuple{
              choice(&Params::beam, "beam", beams, "How the rays go."),
              param(&Params::views, "views", Unit::none, 1, 100000, "Number of views."),
              param(&Params::columns, "columns", Unit::px, 1, 16384, "Detector columns."),
              param(&Params::rows, "rows", Unit::px, 1, 16384, "Detector rows."),
              param(&Params::source_to_isocenter_mm, "source_to_isocenter_mm", Unit::mm, 1, 1e6, "Source to axis."),
              param(&Params::source_to_detector_mm, "source_to_detector_mm", Unit::mm, 1, 1e6, "Source to detector."),
              param(&Params::column_step_mm, "column_step_mm", Unit::mm, 1e-4, 100, "Between detector columns."),
              param(&Params::row_step_mm, "row_step_mm", Unit::mm, 1e-4, 100, "Between detector rows."),
              param(&Params::first_angle_deg, "first_angle_deg", Unit::deg, -3600, 3600, "Gantry angle of view 0."),
              param(&Params::arc_deg, "arc_deg", Unit::deg, -36000, 36000,
                    "Arc of all views; view n is at first + n * arc / views."),
              param(&Params::detector_offset_u_mm, "detector_offset_u_mm", Unit::mm, -1e4, 1e4,
                    "Detector's centre from the central ray, along a row."),
              param(&Params::detector_offset_v_mm, "detector_offset_v_mm", Unit::mm, -1e4, 1e4,
                    "Detector's centre from the central ray, along a column."),
              param(&Params::time_s, "time_s", Unit::s, -1e6, 1e6, "When view 0 is taken."),
              param(&Params::seconds, "seconds", Unit::s, 0, 1e5, "How long the whole arc takes."),
              param(&Params::photons, "photons", Unit::none, 0, 1e9,
                    "Photons that each element would count without an object; 0: no noise."),
              param(&Params::noise_seed, "noise_seed", Unit::none, 0, 9e15, "Another seed gives other noise."),
              param(&Params::count, "count", Unit::none, 1, 1e9, "Items to give; item i has seed + i."),
          });
    }
  };
  struct Ports {
    Out<Projections> output{"output", "Line integrals and their acquisition geometry."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
