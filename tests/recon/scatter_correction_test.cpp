// Scatter of a known kernel added to an exact scan: cupping with it, without it, and with a kernel that is wrong.
#include "recon/scatter_correction.hpp"

#include <gmock/gmock.h>

#include <isocenter/recon/scatter_correction.hpp>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(ScatterCorrectionOperator);

constexpr double amplitude = 0.25, sigma_mm = 70;

/// Adds to a fan's intensities their own scatter, summed element by element in double; step is the detector's.
std::vector<float> with_scatter(const std::vector<float>& p, int columns, double step, double uniform, bool thickness) {
  std::vector<float> out;
  for (std::size_t n = 0; n < p.size() / static_cast<std::size_t>(columns); ++n) {
    std::vector<double> q;
    double mean = 0.0;
    for (int u = 0; u < columns; ++u) {
      const double v = p[n * static_cast<std::size_t>(columns) + static_cast<std::size_t>(u)];
      q.push_back(std::exp(-v) * (thickness ? v : 1.0));
      mean += q.back() / columns;
    }
    for (int u = 0; u < columns; ++u) {
      double blurred = 0.0;
      for (int j = 0; j < columns; ++j)
        blurred += q[static_cast<std::size_t>(j)] * step / (sigma_mm * std::sqrt(2 * std::numbers::pi)) *
                   std::exp(-0.5 * std::pow((u - j) * step / sigma_mm, 2));
      const double s = amplitude * ((1 - uniform) * blurred + uniform * mean);
      out.push_back(static_cast<float>(
          -std::log(std::exp(-double{p[n * static_cast<std::size_t>(columns) + static_cast<std::size_t>(u)]}) + s)));
    }
  }
  return out;
}

TEST_P(ScatterCorrectionOperator, TakesTheCuppingOutOfAWaterCylinder) {
  detail::Solids water;
  detail::water_cylinder(80, 100, &water);
  const CircularOrbit orbit = fan_orbit();
  const std::vector<float> clean = line_integrals_of(water, orbit, 0.02059);
  const std::vector<float> p = with_scatter(clean, orbit.columns, orbit.column_step_mm, 0.3, true);
  const Projections raw = projections_from(p, orbit.views, 1, orbit.columns, orbit.build());
  const ScatterCorrection::Params right{
      .amplitude = amplitude, .sigma_mm = sigma_mm, .uniform_share = 0.3, .iterations = 30};
  ScatterCorrection::Params wrong = right;
  wrong.amplitude *= 0.8;
  wrong.sigma_mm *= 1.5;
  const auto corrected = [&](const ScatterCorrection::Params& params) {
    return slice_of(Projections(apply<ScatterCorrection>(context(), params, raw, options())));
  };
  const Slice truth = slice_of(clean, orbit), before = slice_of(raw), after = corrected(right), off = corrected(wrong);
  picture("scatter_before", before, 0.012, 0.024);
  picture("scatter_after", after, 0.012, 0.024);
  const double own = truth.cupping_percent(80);
  std::printf("cupping %.2f %% before, %.2f %% after, %.2f %% with a wrong kernel, %.2f %% without scatter\n",
              before.cupping_percent(80), after.cupping_percent(80), off.cupping_percent(80), own);
  std::printf("middle %.5f before, %.5f after, %.5f with a wrong kernel, of 0.02059 /mm\n", before.mean(20),
              after.mean(20), off.mean(20));
  EXPECT_GT(before.cupping_percent(80), 10.0);
  EXPECT_NEAR(after.cupping_percent(80), own, 0.2);
  EXPECT_LT(std::fabs(off.cupping_percent(80)), 0.5 * before.cupping_percent(80));
  EXPECT_NEAR(after.mean(20), truth.mean(20), 4e-5);
}

TEST_P(ScatterCorrectionOperator, FindsThePrimaryOfBothSourcesOverOddSizes) {
  for (const bool thickness : {true, false}) {
    detail::Solids water;
    detail::water_cylinder(60, 100, &water);
    CircularOrbit orbit = fan_orbit(5, 333);
    const std::vector<float> clean = line_integrals_of(water, orbit, 0.02);
    const double step = orbit.column_step_mm;
    const std::vector<float> p = with_scatter(clean, 333, step, 0.5, thickness);
    const auto out =
        run_once<ScatterCorrection>({.amplitude = amplitude,
                                     .sigma_mm = sigma_mm,
                                     .uniform_share = 0.5,
                                     .source = thickness ? ScatterSourceKind::thickness : ScatterSourceKind::intensity,
                                     .iterations = 60,
                                     .least_primary = 0.01},
                                    {"input"}, {projections_from(p, 5, 1, 333, orbit.build())}, {"output"}, options());
    double worst = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) worst = std::max(worst, std::fabs(double{out.values()[i]} - clean[i]));
    std::printf("largest error %.4f\n", worst);
    EXPECT_LT(worst, thickness ? 0.001 : 0.006) << thickness;
    EXPECT_EQ(out.metric("clamped_percent"), 0.0);
  }
}

TEST_P(ScatterCorrectionOperator, BlursAlongRowsAndColumns) {
  // A smooth shadow, higher than wide and off the middle, on 101 x 61 elements of 2 mm.
  CircularOrbit orbit{.views = 2, .columns = 101, .rows = 61, .column_step_mm = 2, .row_step_mm = 2};
  const auto weight = [](double mm) {
    return std::exp(-0.5 * mm * mm / (sigma_mm * sigma_mm)) / (sigma_mm * std::sqrt(2 * std::numbers::pi));
  };
  std::vector<float> clean;
  std::vector<double> q, along_u;
  for (int v = 0; v < 61; ++v)
    for (int u = 0; u < 101; ++u) {
      const double p = 3 * std::exp(-std::pow((u - 40) / 20.0, 2) - std::pow((v - 38) / 11.0, 2));
      clean.push_back(static_cast<float>(p));
      q.push_back(p * std::exp(-p));
    }
  for (int v = 0; v < 61; ++v)
    for (int u = 0; u < 101; ++u) {
      along_u.push_back(0.0);
      for (int j = 0; j < 101; ++j)
        along_u.back() += 2 * weight(2.0 * (u - j)) * q[static_cast<std::size_t>(v * 101 + j)];
    }
  std::vector<float> p;
  for (int n = 0; n < 2; ++n)
    for (int v = 0; v < 61; ++v)
      for (int u = 0; u < 101; ++u) {
        double s = 0.0;
        for (int j = 0; j < 61; ++j) s += 2 * weight(2.0 * (v - j)) * along_u[static_cast<std::size_t>(j * 101 + u)];
        p.push_back(
            static_cast<float>(-std::log(std::exp(-double{clean[static_cast<std::size_t>(v * 101 + u)]}) + 0.6 * s)));
      }
  const auto out = run_once<ScatterCorrection>({.amplitude = 0.6, .sigma_mm = sigma_mm, .iterations = 40}, {"input"},
                                               {projections_from(p, 2, 61, 101, orbit.build())}, {"output"}, options());
  double before = 0.0, after = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    before = std::max(before, std::fabs(double{p[i]} - clean[i % clean.size()]));
    after = std::max(after, std::fabs(double{out.values()[i]} - clean[i % clean.size()]));
  }
  std::printf("largest error %.3f before, %.5f after\n", before, after);
  EXPECT_GT(before, 0.1);
  EXPECT_LT(after, 0.005) << "the last cells are one element wide and count as two";
}

TEST(ScatterSubtractKernel, InterpolatesBetweenTheMiddlesOfTheCells) {
  // 13 x 9 elements in cells of 3 x 2: scatter that is linear from cell to cell is linear from element to element, and
  // constant beyond the outermost middles.
  const detail::ScatterGrid grid{13, 9, 3, 2, 5, 5};
  std::vector<float> in(13 * 9, 0.5F), scatter, out(13 * 9);
  for (int v = 0; v < 5; ++v)
    for (int u = 0; u < 5; ++u) scatter.push_back(static_cast<float>(0.1 + 0.02 * u + 0.03 * v));
  detail::launch(launcher_with(2), detail::ScatterSubtract{in.data(), scatter.data(), out.data(), grid, 0.01F}, 13, 9,
                 1);
  for (int v = 0; v < 9; ++v)
    for (int u = 0; u < 13; ++u) {
      const double cu = std::clamp((u + 0.5) / 3 - 0.5, 0.0, 4.0), cv = std::clamp((v + 0.5) / 2 - 0.5, 0.0, 4.0);
      const double s = 0.1 + 0.02 * cu + 0.03 * cv;
      EXPECT_NEAR(out[static_cast<std::size_t>(v * 13 + u)], -std::log(std::exp(-0.5) - s), 3e-6) << u << ", " << v;
    }
}

TEST(ScatterCorrectionMessages, SayWhatIsWrong) {
  const CircularOrbit orbit = fan_orbit(3, 20);
  const auto message = [&](const ScatterCorrection::Params& params, const Projections& p) {
    return error_of([&] { run_once<ScatterCorrection>(params, {"input"}, {p}); });
  };
  EXPECT_THAT(message({}, projections_from(std::vector<float>(60), 3, 1, 20)),
              HasSubstr("no attribute acquisition.views"));
  EXPECT_THAT(message({.sigma_mm = 1}, projections_from(std::vector<float>(60), 3, 1, 20, orbit.build())),
              HasSubstr("sigma_mm = 1 mm, and the detector's columns are 16.5 mm apart"));
}

}  // namespace
}  // namespace isocenter::testing
