// Water precorrection: a polychromatic scan of water, summed over the energies in closed form, and its cupping.
#include <gmock/gmock.h>

#include <isocenter/recon/beam_hardening.hpp>

#include "correction_test_data.hpp"
#include "recon/spectrum.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(BeamHardeningOperator);

// A spectrum at energies for which NISTIR 5632 has water without interpolation (cm²/g at 1 g/cm³).
const std::vector<double> energies = {30, 40, 50, 60, 80, 100}, signal = {0.5, 1.2, 1.6, 1.5, 1.0, 0.4};
const std::vector<double> water_cm = {0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707};

double first_per_mm() {
  double sum = 0.0, mu = 0.0;
  for (std::size_t i = 0; i < signal.size(); ++i) sum += signal[i], mu += 0.1 * water_cm[i] * signal[i];
  return mu / sum;
}
float polychromatic(double mm) {
  double sum = 0.0, through = 0.0;
  for (std::size_t i = 0; i < signal.size(); ++i) {
    sum += signal[i];
    through += signal[i] * std::exp(-0.1 * water_cm[i] * mm);
  }
  return static_cast<float>(-std::log(through / sum));
}

TEST_P(BeamHardeningOperator, TakesTheCuppingOutOfAWaterCylinder) {
  detail::Solids water;
  detail::water_cylinder(80, 100, &water);
  const CircularOrbit orbit = fan_orbit();
  std::vector<float> p = line_integrals_of(water, orbit, 1.0);
  for (float& v : p) v = polychromatic(v);
  const Projections raw = projections_from(p, orbit.views, 1, orbit.columns, orbit.build());
  const BeamHardening::Params params{.energies_kev = energies, .weights = signal, .largest_path_mm = 200};
  const Projections corrected(apply<BeamHardening>(context(), params, raw, options()));
  const Slice before = slice_of(raw), after = slice_of(corrected);
  picture("beam_hardening_before", before, 0.020, 0.025);
  picture("beam_hardening_after", after, 0.020, 0.025);
  const Slice clean = slice_of(line_integrals_of(water, orbit, first_per_mm()), orbit);
  const double own = clean.cupping_percent(80);  // the reconstruction's, from a beam of one energy
  EXPECT_NEAR(before.cupping_percent(80) - own, 3.92, 0.1);
  EXPECT_NEAR(after.cupping_percent(80) - own, 0.0, 0.03);
  EXPECT_NEAR(after.mean(70) / first_per_mm(), 1.0, 2e-3);
  EXPECT_NEAR(corrected.numbers("mu_water_per_mm")[0], first_per_mm(), 1e-9);
  std::printf("cupping %.2f %% before, %.2f %% after, %.2f %% of one energy; mean %.5f of %.5f /mm\n",
              before.cupping_percent(80), after.cupping_percent(80), own, after.mean(70), first_per_mm());
}

TEST_P(BeamHardeningOperator, TurnsThicknessesOfWaterIntoThoseOfTheReferenceEnergy) {
  std::vector<float> p;
  for (int mm = 0; mm < 203; ++mm) p.push_back(polychromatic(mm));
  const auto corrected = run_once<BeamHardening>(
      {.energies_kev = energies, .weights = signal, .reference_kev = 60, .degree = 6, .largest_path_mm = 210},
      {"input"}, {projections_from(p, 1, 7, 29)}, {"output"}, options());
  for (int mm = 0; mm < 203; ++mm)
    EXPECT_NEAR(corrected.values()[static_cast<std::size_t>(mm)], 0.02059 * mm, 4e-4) << mm;
}

TEST_P(BeamHardeningOperator, GoesOnAlongItsTangentsBeyondItsRange) {
  const std::vector<float> p = {-0.2F, 0.0F, 1.0F, 2.0F, 3.0F};
  const auto out = run_once<BeamHardening>({.coefficients = {1.0, 0.25}, .largest_integral = 2}, {"input"},
                                           {projections_from(p, 1, 1, 5)}, {"output"}, options());
  const float expected[] = {-0.2F, 0.0F, 1.25F, 3.0F, 5.0F};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(out.values()[i], expected[i], 1e-6) << i;
}

TEST(BeamHardeningTube, HardensInItsFilterAndInWater) {
  const detail::Spectrum soft = detail::tube_spectrum(80, 2.5), hard = detail::tube_spectrum(80, 10);
  EXPECT_LT(soft.kev.back(), 80.0);
  EXPECT_LT(detail::first_water_per_mm(hard), detail::first_water_per_mm(soft));
  // Between the attenuations of 80 keV and 30 keV, falling with depth.
  double last = detail::first_water_per_mm(soft);
  EXPECT_LT(last, 0.03756);
  for (double mm = 1; mm < 400; mm *= 2) {
    const double mean = detail::polychromatic_water(soft, mm) / mm;
    EXPECT_LT(mean, last) << mm;
    EXPECT_GT(mean, 0.01837) << mm;
    last = mean;
  }
}

TEST(BeamHardeningMessages, SayWhatIsWrong) {
  const Projections p = projections_from(std::vector<float>(6, 1.0F), 1, 2, 3);
  const auto message = [&](const BeamHardening::Params& params) {
    return error_of([&] { run_once<BeamHardening>(params, {"input"}, {p}); });
  };
  EXPECT_THAT(message({}), HasSubstr("0 of coefficients, energies_kev and kilovolts are set"));
  EXPECT_THAT(message({.coefficients = {1}, .kilovolts = 80}), HasSubstr("2 of coefficients"));
  EXPECT_THAT(message({.energies_kev = {50, 60}, .weights = {1}}), HasSubstr("2 energies_kev and 1 weights"));
  EXPECT_THAT(message({.energies_kev = {50}, .weights = {0}}), HasSubstr("all weights are 0"));
  EXPECT_THAT(message({.kilovolts = 5}), HasSubstr("kilovolts = 5, and 20 to 400"));
  EXPECT_THAT(message({.coefficients = std::vector<double>(9, 1.0)}), HasSubstr("9 coefficients, and at most 8"));
  EXPECT_THAT(message({.coefficients = {0, 1}}), HasSubstr("the first of the coefficients is 0"));
  EXPECT_THAT(message({.coefficients = {-1}}), HasSubstr("the first of the coefficients is -1"));
  EXPECT_THAT(message({.coefficients = {1, -0.1}, .largest_integral = 6}), HasSubstr("falls at largest_integral = 6"));
  EXPECT_THAT(message({.kilovolts = 80, .reference_kev = 3}), HasSubstr("reference_kev = 3 keV"));
}

}  // namespace
}  // namespace isocenter::testing
