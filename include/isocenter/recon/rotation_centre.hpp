#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Finds the detector column onto which the rotation axis falls, and moves the projections so that it falls where their
/// geometry says.
///
/// | port   | payload     | shape                  | unit            |
/// |--------|-------------|------------------------|-----------------|
/// | input  | Projections | views × rows × columns | line integrals  |
/// | output | Projections | as input               | line integrals  |
///
/// Parallel beam over a half turn: Vo et al., Optics Express 22 (2014) 19078 (energy outside of the sinogram's double
/// wedge in Fourier space). Parallel over a whole turn: opposite views are mirror images. Fan and cone over a whole
/// turn: every ray of the middle plane is measured twice, from both sides; the column at which the two agree best. The
/// axis is assumed to pass through the patient frame's origin along the detector's columns, and views to be equally
/// spaced. Metrics: centre_column, found to about 0.05 columns on noise-free data, and shift_columns, by which the
/// geometry was off. With apply the output is resampled along the rows (Catmull-Rom; the outermost columns repeated),
/// else it is a copy; either way the shift times the column step may be put into the geometry instead, which blurs
/// nothing.
///
/// Runs on the CPU: what it gives is one number. Errors: bad_data when there is no "acquisition.views"; unsupported for
/// another arc or uneven steps, an axis that the detector's columns do not follow, fewer than 16 views or columns.
struct RotationCentre {
  static constexpr const char* name = "rotation_centre";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Finds the rotation axis' column and centres the projections on it.";
  static constexpr const char* help =
      "From a half turn (parallel) or a whole turn (parallel, fan, cone) of line integrals.";
  static constexpr bool host_only = true;
  struct Params {
    double search_columns = 0;
    std::int64_t rows = 8;
    bool apply = true;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::search_columns, "search_columns", Unit::px, 0, 10000,
                "How far the axis may be from where the geometry has it; 0: an eighth of the detector."),
          param(&Params::rows, "rows", Unit::px, 1, 1000, "Parallel beam: how many detector rows are looked at."),
          param(&Params::apply, "apply", "Whether the output is moved, or a copy."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals, all views of the turn."};
    Out<Projections> output{"output", "The same, centred."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
