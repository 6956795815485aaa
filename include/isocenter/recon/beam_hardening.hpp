#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Water precorrection: turns line integrals of a polychromatic beam through water into those of one energy.
///
/// | port   | payload     | shape                  | unit |
/// |--------|-------------|------------------------|------|
/// | input  | Projections | views × rows × columns | 1    |
/// | output | Projections | as input               | 1    |
///
/// p' = c₁ p + c₂ p² + ... (Herman, Phys. Med. Biol. 24 (1979) 81), continued by its tangents below 0 and above the
/// largest p that it was made for. The polynomial is given (coefficients, from measured thicknesses of water), or
/// fitted to a spectrum: weights at energies_kev (photons times what the detector makes of one), or a tube of so many
/// kilovolts behind aluminium (Kramers' law, a detector that sums energy). Water: Hubbell and Seltzer, NISTIR 5632. The
/// target is water at reference_kev, or the attenuation that the spectrum's first millimetre meets (0), so that c₁ is
/// about 1. The output's attribute mu_water_per_mm is the target's, from which later nodes make HU; with given
/// coefficients it stays.
///
/// Facts: the coefficients, and the fit's largest error in parts of its range. What is not water (bone, metal) is not
/// corrected. Cost: one read and one write. Errors: invalid_argument when not exactly one of coefficients, energies and
/// kilovolts is set, or energies and weights do not fit.
struct BeamHardening {
  static constexpr const char* name = "beam_hardening";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Water precorrection of beam hardening by a polynomial.";
  static constexpr const char* help =
      "From measured coefficients, a given spectrum, or a tube voltage with filtration.";
  struct Params {
    std::vector<double> coefficients;
    std::vector<double> energies_kev;
    std::vector<double> weights;
    double kilovolts = 0;
    double aluminium_mm = 2.5;
    double reference_kev = 0;
    std::int64_t degree = 4;
    double largest_path_mm = 400;
    double largest_integral = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::coefficients, "coefficients", Unit::none, -1e6, 1e6, "c1, c2, ... (at most 8), as measured."),
          param(&Params::energies_kev, "energies_kev", Unit::kev, 10, 400, "The spectrum's energies."),
          param(&Params::weights, "weights", Unit::none, 0, 1e30, "The detector's signal from each energy, any scale."),
          param(&Params::kilovolts, "kilovolts", Unit::none, 0, 400, "Tube voltage, from 20 on; 0: no tube."),
          param(&Params::aluminium_mm, "aluminium_mm", Unit::mm, 0, 100, "The tube's filtration."),
          param(
              &Params::reference_kev, "reference_kev", Unit::kev, 0, 400,
              "Energy of the line integrals to come, from 10 on; 0: the spectrum's own attenuation at zero thickness."),
          param(&Params::degree, "degree", Unit::none, 1, 8, "Of the polynomial that is fitted to a spectrum."),
          param(&Params::largest_path_mm, "largest_path_mm", Unit::mm, 1, 2000, "Longest way through water to fit."),
          param(&Params::largest_integral, "largest_integral", Unit::none, 0, 100,
                "With coefficients: the largest p that they hold for; 0: no limit."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals of a polychromatic beam."};
    Out<Projections> output{"output", "As if the beam had one energy and the object were water."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
