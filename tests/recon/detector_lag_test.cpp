// Lag: an exposure that stops, in closed form; fan scans, whole and short, of a disc far from the axis, whose shadow
// trails behind.
#include <gmock/gmock.h>

#include <isocenter/recon/detector_lag.hpp>
#include <isocenter/recon/orbits.hpp>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(DetectorLagOperator);

const std::vector<double> fractions = {0.03, 0.02}, rates = {0.5, 0.03};

/// What the detector makes of exposures: the convolution with its impulse response, written out.
std::vector<float> with_lag(const std::vector<float>& exposures, std::size_t pixels, double dark) {
  const std::size_t views = exposures.size() / pixels;
  std::vector<double> response(views);
  for (std::size_t k = 0; k < views; ++k)
    for (std::size_t n = 0; n < fractions.size(); ++n)
      response[k] += fractions[n] * (1 - std::exp(-rates[n])) * std::exp(-rates[n] * static_cast<double>(k));
  response[0] += 1 - fractions[0] - fractions[1];
  std::vector<float> out(exposures.size());
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t k = 0; k < views; ++k) {
      double sum = dark;
      for (std::size_t j = 0; j <= k; ++j) sum += response[k - j] * exposures[j * pixels + i];
      out[k * pixels + i] = static_cast<float>(sum);
    }
  return out;
}

TEST_P(DetectorLagOperator, OfAnExposureThatStopsLeavesNothing) {
  // 20 views of 1000 and then 30 of 0. In closed form the falling edge is
  //   y = 1000 Σ f e^{-a (k - 19)} (1 - e^{-20 a}).
  const std::size_t pixels = 3 * 11;
  std::vector<float> x(50 * pixels, 0.0F);
  std::fill_n(x.begin(), 20 * pixels, 1000.0F);
  const std::vector<float> y = with_lag(x, pixels, 100);
  for (int k = 20; k < 50; ++k) {
    double edge = 100.0;
    for (std::size_t n = 0; n < 2; ++n)
      edge += 1000 * fractions[n] * std::exp(-rates[n] * (k - 19)) * (1 - std::exp(-20 * rates[n]));
    EXPECT_NEAR(y[static_cast<std::size_t>(k) * pixels], edge, 2e-3) << "of this test's own detector";
  }
  const auto out = run_once<DetectorLag>({.fractions = fractions, .rates_per_view = rates, .dark_counts = 100},
                                         {"input"}, {projections_from(y, 50, 3, 11)}, {"output"}, options());
  for (std::size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(out.values()[k], x[k] + 100, 2e-3) << k;
}

TEST_P(DetectorLagOperator, GoesOnFromItemToItemOrBeginsAnew) {
  const std::size_t pixels = 13;
  std::vector<float> x;
  for (std::size_t k = 0; k < 30 * pixels; ++k) x.push_back(static_cast<float>(100 + (k * 37) % 900));
  const std::vector<float> y = with_lag(x, pixels, 0);
  for (const LagState state : {LagState::stream, LagState::item}) {
    std::vector<std::vector<Payload>> items;
    for (int k = 0; k < 30; k += 10)
      items.push_back({projections_from({y.begin() + k * 13, y.begin() + (k + 10) * 13}, 10, 1, 13)});
    const auto out = run_items<DetectorLag>({.fractions = fractions, .rates_per_view = rates, .state = state},
                                            {"input"}, items, {"output"}, options());
    double worst = 0.0;
    for (std::size_t k = 0; k < x.size(); ++k)
      worst = std::max(worst, std::fabs(double{out[k / 130].values()[k % 130]} - x[k]));
    if (state == LagState::stream)
      EXPECT_LT(worst, 2e-3);
    else
      EXPECT_GT(worst, 5.0) << "each item began with a rested detector";
  }
}

TEST_P(DetectorLagOperator, OfAScanInBlocksGoesOnToItsEndAndTheNextScanBeginsAnew) {
  const std::size_t pixels = 13;
  std::vector<float> x;
  for (std::size_t k = 0; k < 30 * pixels; ++k) x.push_back(static_cast<float>(100 + (k * 37) % 900));
  const std::vector<float> y = with_lag(x, pixels, 0);
  std::vector<std::vector<Payload>> items;
  for (int block = 0; block < 6; ++block) {
    const auto begin = y.begin() + block % 3 * 130;
    Projections p = projections_from({begin, begin + 130}, 10, 1, 13);
    set_view_blocks(p, 3);
    items.push_back({p});
  }
  const auto out = run_items<DetectorLag>({.fractions = fractions, .rates_per_view = rates}, {"input"}, items,
                                          {"output"}, options());
  for (std::size_t k = 0; k < 780; ++k) ASSERT_NEAR(out[k / 130].values()[k % 130], x[k % 390], 2e-3) << k;
}

/// A disc with a denser one beyond the axis: its slice without lag, with it, and corrected.
struct LagImages {
  Slice clean, before, after;
};
LagImages lag_images(const CircularOrbit& orbit, const SessionOptions& options) {
  detail::Solids solids{{disc(0, 0, 85, 1.0), disc(55, 0, 18, 1.5)}, detail::Composition::additive};
  const std::vector<float> p = line_integrals_of(solids, orbit, 0.02059);
  std::vector<float> x;
  for (const float v : p) x.push_back(static_cast<float>(1e5 * std::exp(-double{v})));
  const std::vector<float> y = with_lag(x, 160, 0);
  const auto corrected = run_once<DetectorLag>({.fractions = fractions, .rates_per_view = rates}, {"input"},
                                               {projections_from(y, orbit.views, 1, 160)}, {"output"}, options);
  const auto image = [&](std::span<const float> counts) {
    std::vector<float> q;
    for (const float c : counts) q.push_back(static_cast<float>(-std::log(double{c} / 1e5)));
    return slice_of(q, orbit);
  };
  return {slice_of(p, orbit), image(y), image(corrected.values())};
}

TEST_P(DetectorLagOperator, TakesTheTrailOutOfAnImage) {
  const auto [clean, before, after] = lag_images(fan_orbit(), options());
  picture("detector_lag_before", before, 0.0196, 0.0216);
  picture("detector_lag_after", after, 0.0196, 0.0216);
  std::printf("RMSE against the scan without lag: %.6f before, %.2e after (of 0.02059 /mm)\n", before.rmse(clean, 80),
              after.rmse(clean, 80));
  EXPECT_GT(before.rmse(clean, 80), 1e-4);
  EXPECT_LT(after.rmse(clean, 80), 2e-7);
}

TEST_P(DetectorLagOperator, OfAShortScanTakesOutTheShadowOnOneSide) {
  // Half a turn and the fan: no opposite view balances the trail of a disc beyond the axis, so one side of it is
  // brighter than the other.
  const auto [clean, before, after] = lag_images(short_scan(fan_orbit()), options());
  picture("detector_lag_short_before", before, 0.0196, 0.0216);
  picture("detector_lag_short_after", after, 0.0196, 0.0216);
  const double hu = 1000 / 0.02059;
  const auto one_sided = [&](const Slice& s) { return hu * (s.mean(50, 32, 0, 10) - s.mean(50, -32, 0, 10)); };
  std::printf("short scan: RMSE %.1f HU before, %.2e after; one side less the other: %.2f clean, %.2f, %.2f HU\n",
              hu * before.rmse(clean, 80), hu * after.rmse(clean, 80), one_sided(clean), one_sided(before),
              one_sided(after));
  EXPECT_GT(hu * before.rmse(clean, 80), 5);
  EXPECT_GT(one_sided(before) - one_sided(clean), 8);
  EXPECT_LT(hu * after.rmse(clean, 80), 0.01);
  EXPECT_NEAR(one_sided(after), one_sided(clean), 0.01);
}

TEST(DetectorLagMessages, SayWhatIsWrong) {
  const Projections p = projections_from(std::vector<float>(6, 1.0F), 1, 2, 3);
  const auto message = [&](const DetectorLag::Params& params) {
    return error_of([&] { run_once<DetectorLag>(params, {"input"}, {p}); });
  };
  EXPECT_THAT(message({}), HasSubstr("there are 0 fractions and 0 rates_per_view"));
  EXPECT_THAT(message({.fractions = {0.1}, .rates_per_view = {1, 2}}), HasSubstr("1 fractions and 2 rates_per_view"));
  EXPECT_THAT(message({.fractions = {0.6, 0.5}, .rates_per_view = {1, 2}}), HasSubstr("the fractions' sum is 1.1"));
}

}  // namespace
}  // namespace isocenter::testing
