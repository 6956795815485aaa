#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class ScatterSourceKind { thickness, intensity };

/// Estimates scattered radiation from the projections themselves and takes it off.
///
/// | port   | payload     | shape                  | unit             |
/// |--------|-------------|------------------------|------------------|
/// | input  | Projections | views × rows × columns | line integrals   |
/// | output | Projections | as input               | line integrals   |
///
/// With the intensities I = e^{-p} and P of all and of primary radiation, relative to the open beam, scatter is
///   S = amplitude [(1 - uniform_share) G ∗ q + uniform_share mean(q)],
/// where G is a Gaussian of sigma_mm on the detector (integral 1) and q = P (-ln P), which grows with the thickness
/// that scatters (source = thickness: Ohnesorge, Flohr and Klingenbeck-Regn, Eur. Radiol. 9 (1999) 563), or q = P
/// (intensity: scatter glare, as Boellaard et al., Med. Phys. 24 (1997) 1415, for portal images; with uniform_share = 1
/// a constant fraction). P = I - S is found by iteration on a coarse grid, as fine as sigma_mm needs. Where S would
/// leave less than least_primary of I, that much stays; the metric clamped_percent says in how many cells of that
/// grid. scatter_to_primary is the mean over them.
///
/// amplitude and sigma_mm belong to a scanner: they are fitted to a measurement behind a beam stopper. Border: what
/// lies beyond the detector is taken as open (thickness) or dark (intensity). A detector of one row is blurred along
/// the row alone. Cost: two passes over the projections and `iterations` over the coarse grid; on a device run waits
/// for the numbers that it reports. Errors: bad_data when there is no "acquisition.views" (it has the detector's step);
/// invalid_argument for a sigma_mm below half a detector element.
struct ScatterCorrection {
  static constexpr const char* name = "scatter_correction";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Scatter estimated by a kernel from the projections and taken off.";
  static constexpr const char* help = "Scatter kernel superposition by iteration on a coarse grid. CPU and CUDA.";
  struct Params {
    double amplitude = 0.1;
    double sigma_mm = 60;
    double uniform_share = 0;
    ScatterSourceKind source = ScatterSourceKind::thickness;
    std::int64_t iterations = 8;
    double least_primary = 0.1;
    static constexpr const char* sources[] = {"thickness", "intensity"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::amplitude, "amplitude", Unit::none, 0, 10, "Scatter for a source of 1."),
          param(&Params::sigma_mm, "sigma_mm", Unit::mm, 0.01, 10000,
                "Standard deviation of the kernel on the detector."),
          param(&Params::uniform_share, "uniform_share", Unit::none, 0, 1,
                "Share of scatter that is the same everywhere."),
          choice(&Params::source, "source", sources, "What scatters: P (-ln P), or P alone (glare)."),
          param(&Params::iterations, "iterations", Unit::none, 1, 100, "Steps from I to P; 8 leave about 1e-4."),
          param(&Params::least_primary, "least_primary", Unit::none, 0.001, 1, "Least share of I that is primary."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals with scatter in them."};
    Out<Projections> output{"output", "Line integrals of primary radiation."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
