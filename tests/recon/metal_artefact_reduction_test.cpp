// Metal: two pins in a disc with bone, starved of photons, corrected with and without a prior; the trace in closed
// form.
#include <gmock/gmock.h>

#include <isocenter/recon/metal_artefact_reduction.hpp>
#include <isocenter/recon/metal_prior.hpp>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(MetalArtefactReductionOperator);

constexpr double mu_water = 0.02059;
constexpr double pins[2][2] = {{-35, 10}, {35, 10}};

detail::Solids body(bool with_metal) {
  detail::Solids s{{disc(0, 0, 85, 1.0), disc(0, -45, 15, 1.9), disc(-35, 10, 14, 1.8), disc(35, 10, 14, 1.8),
                    disc(0, 30, 8, 0.9), disc(0, 55, 8, 1.06)},
                   detail::Composition::painted};
  if (with_metal)
    for (const auto& pin : pins) s.list.push_back(disc(pin[0], pin[1], 5, 20.0));
  return s;
}

Volume hu_volume(const Projections& p) {
  return Volume(apply<FdkReconstruction>(context(),
                                         {.nx = 128,
                                          .ny = 128,
                                          .nz = 1,
                                          .spacing_mm = {200.0 / 128},
                                          .window = FdkWindow::shepp_logan,
                                          .mu_water_per_mm = mu_water},
                                         p));
}
Slice as_slice(const Volume& v) {
  const auto values = v.values();
  return {128, 200.0 / 128, {values.begin(), values.end()}};
}

/// Line integrals of scale * slice + offset, by samples half a voxel apart.
Projections project_slice(const Slice& s, const CircularOrbit& orbit, double scale, double offset) {
  const std::vector<View> views = orbit.build();
  std::vector<float> p;
  for (const View& view : views)
    for (int u = 0; u < orbit.columns; ++u) {
      const Vector3 to = view.element_mm(u, 0);
      const double dx = to[0] - view.source_mm[0], dy = to[1] - view.source_mm[1], length = std::hypot(dx, dy);
      double sum = 0.0;
      for (double t = 880; t < 1120; t += 0.5 * s.spacing_mm) {
        const double x = (view.source_mm[0] + dx * t / length) / s.spacing_mm + 0.5 * (s.n - 1);
        const double y = (view.source_mm[1] + dy * t / length) / s.spacing_mm + 0.5 * (s.n - 1);
        const int i = static_cast<int>(std::floor(x)), j = static_cast<int>(std::floor(y));
        if (i < 0 || j < 0 || i > s.n - 2 || j > s.n - 2) continue;
        const float* v = s.values.data() + j * s.n + i;
        const double low = v[0] + (v[1] - v[0]) * (x - i), high = v[s.n] + (v[s.n + 1] - v[s.n]) * (x - i);
        sum += scale * (low + (high - low) * (y - j)) + offset;
      }
      p.push_back(static_cast<float>(sum * 0.5 * s.spacing_mm));
    }
  return projections_from(p, orbit.views, 1, orbit.columns, views);
}

/// RMSE in HU outside of the pins and their rims.
double error_beside_metal(const Slice& s, const Slice& truth) {
  double sum = 0.0;
  int n = 0;
  for (int j = 0; j < s.n; ++j)
    for (int i = 0; i < s.n; ++i) {
      const double x = s.x_mm(i), y = s.x_mm(j);
      if (std::hypot(x, y) > 80 || std::hypot(x + 35, y - 10) < 9 || std::hypot(x - 35, y - 10) < 9) continue;
      const auto at = static_cast<std::size_t>(j * s.n + i);
      sum += std::pow(static_cast<double>(s.values[at]) - truth.values[at], 2);
      ++n;
    }
  return std::sqrt(sum / n);
}

TEST_P(MetalArtefactReductionOperator, TakesTheStreaksOfTwoPins) {
  const CircularOrbit orbit = fan_orbit(360);
  std::vector<float> p = line_integrals_of(body(true), orbit, mu_water);
  // 3·10⁵ photons: rays through both pins count next to nothing, and beam hardening makes what is left too small.
  const std::vector<float> without = line_integrals_of(body(false), orbit, mu_water);
  for (std::size_t k = 0; k < p.size(); ++k) {
    const double extra = p[k] - without[k];
    p[k] = static_cast<float>(without[k] + extra / (1 + 0.15 * extra));
  }
  detail::add_photon_noise(launcher_with(1), p, 3e5, 4, 0);
  const Projections raw = projections_from(p, orbit.views, 1, 160, orbit.build());
  const Volume first = hu_volume(raw);
  const Outcome classes =
      run_once<MetalPrior>({.metal_from_hu = 3000}, {"input"}, {first}, {"metal", "prior"}, options());
  const auto projected = [&](const char* which, double scale, double offset) {
    return project_slice(as_slice(Volume(classes.outputs.at(which))), orbit, scale, offset);
  };
  const Payload metal = projected("metal", 1, 0), prior = projected("prior", mu_water / 1000, mu_water);
  const auto linear = run_once<MetalArtefactReduction>({}, {"input", "metal"}, {raw, metal}, {"output"}, options());
  const auto normalised =
      run_once<MetalArtefactReduction>({}, {"input", "metal", "prior"}, {raw, metal, prior}, {"output"}, options());
  Slice truth = truth_slice(body(false), 1000);
  for (float& v : truth.values) v -= 1000.0F;
  const Slice before = as_slice(first), li = as_slice(hu_volume(Projections(linear.outputs.at("output")))),
              nmar = as_slice(hu_volume(Projections(normalised.outputs.at("output"))));
  picture("metal_before", before, -300, 400);
  picture("metal_linear", li, -300, 400);
  picture("metal_normalised", nmar, -300, 400);
  const double e0 = error_beside_metal(before, truth), e1 = error_beside_metal(li, truth),
               e2 = error_beside_metal(nmar, truth);
  std::vector<float> clean = without;
  detail::add_photon_noise(launcher_with(1), clean, 3e5, 5, 0);
  const double floor =
      error_beside_metal(as_slice(hu_volume(projections_from(clean, 360, 1, 160, orbit.build()))), truth);
  std::printf("RMSE beside metal: %.1f HU before, %.1f HU LI, %.1f HU NMAR, %.1f HU without metal\n", e0, e1, e2,
              floor);
  EXPECT_LT(e1, 0.8 * e0);
  EXPECT_LT(e2, 0.6 * e0);
  EXPECT_LT(e2, e1);
  EXPECT_NEAR(linear.metric("replaced_percent"), 16, 6);
  EXPECT_EQ(linear.metric("rows_all_metal"), 0.0);
}

TEST_P(MetalArtefactReductionOperator, InterpolatesAcrossTheTraceInClosedForm) {
  // Two rows: a ramp with metal inside and at the left border; and one that is all metal.
  std::vector<float> p, metal(20, 0.0F), prior;
  for (int u = 0; u < 10; ++u) p.push_back(static_cast<float>(u)), prior.push_back(static_cast<float>(u * u));
  for (int u = 0; u < 10; ++u) p.push_back(7.0F), prior.push_back(1.0F), metal[static_cast<std::size_t>(10 + u)] = 3.0F;
  metal[0] = metal[5] = 1.0F;
  p[0] = p[4] = p[5] = p[6] = 99.0F;
  const auto in = projections_from(p, 1, 2, 10), trace = projections_from(metal, 1, 2, 10);
  const auto linear = run_once<MetalArtefactReduction>({}, {"input", "metal"}, {in, trace}, {"output"}, options());
  const float expected[] = {2, 2, 2, 3, 4, 5, 6, 7, 8, 9};
  for (std::size_t u = 0; u < 10; ++u) EXPECT_NEAR(linear.values()[u], expected[u], 1e-5) << u;
  for (std::size_t u = 10; u < 20; ++u) EXPECT_EQ(linear.values()[u], 7.0F) << "all metal stays";
  EXPECT_EQ(linear.metric("rows_all_metal"), 1.0);
  EXPECT_EQ(linear.metric("replaced_percent"), 25.0);
  // With p = 2 prior beside the trace it is so in it, too, but for the guard.
  std::vector<float> twice;
  for (const float q : prior) twice.push_back(2 * q);
  twice[5] = -50;
  const auto normalised = run_once<MetalArtefactReduction>(
      {.margin_columns = 0}, {"input", "metal", "prior"},
      {projections_from(twice, 1, 2, 10), trace, projections_from(prior, 1, 2, 10)}, {"output"}, options());
  EXPECT_NEAR(normalised.values()[5], 50, 0.02);
}

TEST(MetalArtefactReductionMessages, SayWhatIsWrong) {
  const Projections a = projections_from(std::vector<float>(24), 2, 3, 4),
                    b = projections_from(std::vector<float>(24), 2, 4, 3),
                    c = projections_from(std::vector<float>(12), 1, 3, 4);
  const auto message = [&](const Projections& metal) {
    return error_of([&] { run_once<MetalArtefactReduction>({}, {"input", "metal"}, {a, metal}); });
  };
  EXPECT_THAT(message(b), AllOf(HasSubstr("'input' has 3 rows x 4 columns"), HasSubstr("'metal' 4 rows x 3 columns")));
  EXPECT_THAT(message(c), HasSubstr("'input' has 2 views and input 'metal' 1"));
  const auto of_prior = [&](const char* unit, const MetalPrior::Params& params) {
    const Volume v = Volume::own(std::vector<float>(8), 2, 2, 2, Geometry::centred(2, 2, 2, {1, 1, 1}), unit);
    return error_of([&] { run_once<MetalPrior>(params, {"input"}, {v}, {"metal", "prior"}); });
  };
  EXPECT_THAT(of_prior("1/mm", {}), HasSubstr("is in '1/mm', and HU is needed"));
  EXPECT_THAT(of_prior("HU", {.bone_from_hu = 3000}), HasSubstr("are -500, 3000 and 2500"));
}

}  // namespace
}  // namespace isocenter::testing
