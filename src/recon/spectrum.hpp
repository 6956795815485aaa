#pragma once
// X-ray spectra and what they make of water.
#include <span>
#include <vector>

namespace isocenter::detail {

/// Energies and how much each counts in the detector's signal; the weights' sum is 1.
struct Spectrum {
  std::vector<double> kev, weight;
};

/// Linear attenuation of water (1 g/cm³) and of aluminium (2.699 g/cm³), 1/mm, from 10 to 400 keV: the tables of
/// Hubbell and Seltzer, NISTIR 5632, interpolated linearly in the logarithms of energy and coefficient.
double water_per_mm(double kev);
double aluminium_per_mm(double kev);
inline constexpr double lowest_kev = 10, highest_kev = 400;

/// A tungsten tube without its lines: Kramers' thick-target law (Phil. Mag. 46 (1923) 836), photons ∝ (E0 - E) / E in
/// steps of 1 keV, behind aluminium, seen by a detector that sums energy.
Spectrum tube_spectrum(double kilovolts, double aluminium_mm);

/// Signals at given energies as a spectrum of sum 1.
Spectrum given_spectrum(std::span<const double> kev, std::span<const double> weights);

/// -ln of the signal behind so much water, relative to none.
double polychromatic_water(const Spectrum& spectrum, double mm);

/// The attenuation of water for the first photons that it meets: the slope of polychromatic_water at 0.
double first_water_per_mm(const Spectrum& spectrum);

/// c with Σ c_i p^(i+1) ≈ mu · mm for p = polychromatic_water(mm) up to largest_mm, by least squares; *residual is the
/// largest error relative to the target's largest value.
std::vector<double> water_polynomial(const Spectrum& spectrum, double mu_per_mm, int degree, double largest_mm,
                                     double* residual);

}  // namespace isocenter::detail
