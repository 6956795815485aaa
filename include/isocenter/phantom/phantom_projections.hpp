#pragma once
#include <isocenter/operator.hpp>
#include <isocenter/phantom/phantom_parameters.hpp>

namespace isocenter::inline v1 {

enum class PhantomBeam { cone, fan, parallel };
enum class PhantomOrbit { circle, short_scan, helix, tomosynthesis_arc, tomosynthesis_line };
enum class PhantomDetector { flat, curved };

/// The raw data: a phantom's exact line integrals as a scanner would take them, each view at its own time, with photon
/// noise if wanted.
///
/// | port   | payload     | shape                      | unit |
/// |--------|-------------|----------------------------|------|
/// | output | Projections | views × rows × columns     | 1    |
///
/// Geometry: the builders of isocenter/recon/acquisition.hpp and orbits.hpp, in the patient frame with the isocentre at
/// its origin; or a file. A fan is a cone with one row; with a parallel beam the detector's steps are those at the
/// isocentre.
///
/// | orbit              | what places it, beside views, columns, rows, steps, offsets and distances |
/// |--------------------|-----------------------------------------------------------------------------------------------|
/// | circle             | CircularOrbit: first_angle_deg, arc_deg, detector | | short_scan         | short_scan:
/// first_angle_deg; arc_deg only says which way round                                | | helix              |
/// HelicalOrbit: arc_deg (all rotations), pitch                                                  | | tomosynthesis_arc
/// | TomosynthesisArc: arc_deg (below 180); the detector rests behind the patient                  | |
/// tomosynthesis_line | TomosynthesisLine: travel_mm, detector_travel_mm                                              |
///
/// geometry_file: RTK's XML, 3x4 matrices (patient frame to elements) or a table of gantry angles gives the views in
/// place of an orbit (docs/recon/geometry.md); columns, rows, steps and detector offsets say where the elements lie.
/// misalignment_mm and misalignment_deg: errors of each view, which its geometry tells (Misalignment in orbits.hpp).
/// Method: closed-form chords of every solid, in double.
/// Noise: counts are Poisson with mean photons · exp(-p), p' = ln(photons / max(counts, 1)); the draw of an element
/// depends on (noise_seed, item, element) alone, not on threads.
/// Attributes: "acquisition.views", "acquisition.beam", "acquisition.detector", "mu_water_per_mm", and of the moving
/// thorax "motion.signal", the breathing depth in [0, 1] for each view. Errors: invalid_argument when the detector is
/// not behind the isocentre, a fan has more than one row, the source would stand inside the phantom, or the orbit has
/// no such beam or detector; those of the geometry file.
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
    PhantomOrbit orbit = PhantomOrbit::circle;
    PhantomDetector detector = PhantomDetector::flat;
    std::int64_t views = 360, columns = 256, rows = 256;
    double source_to_isocenter_mm = 1000, source_to_detector_mm = 1500;
    double column_step_mm = 2, row_step_mm = 2;
    double first_angle_deg = 0, arc_deg = 360;
    double pitch = 1;
    double travel_mm = 900, detector_travel_mm = 0;
    double detector_offset_u_mm = 0, detector_offset_v_mm = 0;
    double misalignment_mm = 0, misalignment_deg = 0;
    std::string geometry_file;
    double time_s = 0;
    double seconds = 60;
    double photons = 0;
    std::int64_t noise_seed = 1;
    std::int64_t count = 1;
    std::int64_t blocks = 1;
    static constexpr const char* beams[] = {"cone", "fan", "parallel"};
    static constexpr const char* orbits[] = {"circle", "short_scan", "helix", "tomosynthesis_arc",
                                             "tomosynthesis_line"};
    static constexpr const char* detectors[] = {"flat", "curved"};
    static constexpr auto describe() {
      return std::tuple_cat(
          phantom_parameters<Params>(),
          std::tuple{
              choice(&Params::beam, "beam", beams, "How the rays go."),
              choice(&Params::orbit, "orbit", orbits, "How the source goes."),
              choice(&Params::detector, "detector", detectors,
                     "The detector's shape: a plane, or a cylinder around the focal spot."),
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
              param(&Params::pitch, "pitch", Unit::none, -100, 100,
                    "Helix: way along z in a rotation, in parts of the rows' height at the isocentre."),
              param(&Params::travel_mm, "travel_mm", Unit::mm, -1e5, 1e5,
                    "Linear tomosynthesis: way of the source from the first view to the last, along x."),
              param(&Params::detector_travel_mm, "detector_travel_mm", Unit::mm, -1e5, 1e5,
                    "Linear tomosynthesis: way of the detector; 0: it rests."),
              param(&Params::detector_offset_u_mm, "detector_offset_u_mm", Unit::mm, -1e4, 1e4,
                    "Detector's centre from the central ray, along a row."),
              param(&Params::detector_offset_v_mm, "detector_offset_v_mm", Unit::mm, -1e4, 1e4,
                    "Detector's centre from the central ray, along a column."),
              param(&Params::misalignment_mm, "misalignment_mm", Unit::mm, 0, 100,
                    "Error of each view's gantry (and of a flat detector alone) along each axis; from noise_seed."),
              param(&Params::misalignment_deg, "misalignment_deg", Unit::deg, 0, 30,
                    "Error of each view's gantry (and of a flat detector alone) about each axis; from noise_seed."),
              param(&Params::geometry_file, "geometry_file",
                    "Views from RTK's XML, 3x4 matrices or a table of gantry angles, in place of orbit and views.",
                    isocenter::path),
              param(&Params::time_s, "time_s", Unit::s, -1e6, 1e6, "When view 0 is taken."),
              param(&Params::seconds, "seconds", Unit::s, 0, 1e5, "How long the whole arc takes."),
              param(&Params::photons, "photons", Unit::none, 0, 1e9,
                    "Photons that each element would count without an object; 0: no noise."),
              param(&Params::noise_seed, "noise_seed", Unit::none, 0, 9e15, "Another seed gives other noise."),
              param(&Params::count, "count", Unit::none, 1, 1e9, "Scans to give; scan i has seed + i."),
              param(&Params::blocks, "blocks", Unit::none, 1, 100000,
                    "Items that a scan is given in, one after the other; must divide the number of views."),
          });
    }
  };
  struct Ports {
    Out<Projections> output{"output", "Line integrals and their acquisition geometry."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
