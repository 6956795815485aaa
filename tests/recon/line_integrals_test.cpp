// Counts to line integrals: against an exact phantom seen by a detector with offsets, gains and defects; every message.
#include "recon/line_integrals.hpp"

#include <gmock/gmock.h>

#include <isocenter/recon/line_integrals.hpp>
#include <set>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ISOCENTER_DEVICE_SUITE(LineIntegralsOperator);

/// A head before a detector whose pixels all differ, some of them defective.
struct RawScan {
  CircularOrbit orbit{.views = 24, .columns = 61, .rows = 37, .column_step_mm = 5, .row_step_mm = 5};
  std::vector<float> truth;  // line integrals
  std::vector<double> dark, gain;
  std::set<int> dead, hot, noisy, stuck;
  int pixels() const { return orbit.rows * orbit.columns; }

  RawScan() {
    detail::Solids head;
    detail::shepp_logan(detail::Contrast::modified, 100, &head);
    truth = line_integrals_of(head, orbit, 0.02059);
    detail::Philox random(3, 0);
    for (int i = 0; i < pixels(); ++i) {
      dark.push_back(random.uniform(90, 110));
      gain.push_back(random.uniform(0.8, 1.2));
    }
    dead = {0, 5 * 61 + 30, 6 * 61 + 30, 36 * 61 + 60};
    for (int v = 0; v < 37; ++v) dead.insert(v * 61 + 22);  // a whole column
    hot = {20 * 61 + 40, 20 * 61 + 41};
    noisy = {10 * 61 + 10};
    stuck = {30 * 61 + 33};
  }
  std::set<int> defects() const {
    std::set<int> all = dead;
    for (const auto* s : {&hot, &noisy, &stuck}) all.insert(s->begin(), s->end());
    return all;
  }
  double offset(int pixel) const { return dark[static_cast<std::size_t>(pixel)] + (hot.count(pixel) ? 9000.0 : 0.0); }
  double response(int pixel) const { return dead.count(pixel) ? 0.01 : gain[static_cast<std::size_t>(pixel)]; }

  /// Frames without object (or without beam), with readout noise.
  std::vector<float> frames(int count, double beam, std::uint64_t seed) const {
    std::vector<float> out;
    detail::Philox random(seed, 0);
    for (int n = 0; n < count; ++n)
      for (int i = 0; i < pixels(); ++i) {
        double noise = random.uniform(-3, 3);
        if (noisy.count(i)) noise *= 40;
        if (stuck.count(i) && beam > 0) noise = 0;
        out.push_back(static_cast<float>(offset(i) + beam * response(i) + noise));
      }
    return out;
  }
  std::vector<float> counts(double beam, const std::vector<double>& output = {}) const {
    std::vector<float> out;
    for (std::size_t k = 0; k < truth.size(); ++k) {
      const int i = static_cast<int>(k % static_cast<std::size_t>(pixels()));
      const double drift = output.empty() ? 1.0 : output[k / static_cast<std::size_t>(pixels())];
      out.push_back(static_cast<float>(offset(i) + drift * beam * response(i) * std::exp(-double{truth[k]})));
    }
    return out;
  }
  Projections frames_payload(int count, double beam, std::uint64_t seed) const {
    return projections_from(frames(count, beam, seed), count, orbit.rows, orbit.columns);
  }
  Projections payload(const std::vector<float>& counts) const {
    return projections_from(counts, orbit.views, orbit.rows, orbit.columns, orbit.build());
  }
};

/// The largest error over pixels in or outside a set.
double largest_error(std::span<const float> p, const RawScan& scan, bool defective) {
  const std::set<int> defects = scan.defects();
  double worst = 0.0;
  for (std::size_t k = 0; k < p.size(); ++k)
    if ((defects.count(static_cast<int>(k % static_cast<std::size_t>(scan.pixels()))) != 0) == defective)
      worst = std::max(worst, std::fabs(static_cast<double>(p[k]) - scan.truth[k]));
  return worst;
}

TEST_P(LineIntegralsOperator, OfADetectorWithOffsetsGainsAndDefectsAreThePhantoms) {
  const RawScan scan;
  const Outcome out = run_once<LineIntegrals>(
      {}, {"input", "dark", "flat"},
      {scan.payload(scan.counts(30000)), scan.frames_payload(16, 0, 1), scan.frames_payload(16, 30000, 2)},
      {"output", "defects"}, options());
  // Good pixels: what remains is the noise of the mean of 16 dark and flat frames (0.43 counts each).
  EXPECT_LT(largest_error(out.values(), scan, false), 3e-3);
  // Repaired pixels: interpolation over a pixel's width of the head's projection.
  EXPECT_LT(largest_error(out.values(), scan, true), 0.35);
  std::set<int> found;
  const auto codes = out.values("defects");
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (codes[i] != 0.0F) found.insert(static_cast<int>(i));
  EXPECT_EQ(found, scan.defects());
  EXPECT_EQ(codes[22], 2.0F);
  EXPECT_EQ(codes[20 * 61 + 40], 3.0F);
  EXPECT_EQ(codes[10 * 61 + 10], 4.0F);
  EXPECT_EQ(codes[30 * 61 + 33], 5.0F);
  EXPECT_EQ(out.metric("defects"), static_cast<double>(scan.defects().size()));
  EXPECT_EQ(out.metric("clamped"), 0.0);
  EXPECT_EQ(views_of(out.outputs.at("output")).size(), 24U) << "the geometry goes on";
}

TEST_P(LineIntegralsOperator, OfADefectBetweenTwoNeighboursAreLinearlyInterpolated) {
  // One row: only left and right are there. Pixels 3 and 4 are given as defective; a ramp is repaired exactly.
  std::vector<float> counts, map(12, 0.0F);
  for (int u = 0; u < 12; ++u) counts.push_back(static_cast<float>(1000 * std::exp(-0.1 * u)));
  counts[3] = -7.0F;
  counts[4] = std::nanf("");
  map[3] = map[4] = 1.0F;
  const Outcome out = run_once<LineIntegrals>(
      {.i0_counts = 1000, .largest_defect_percent = 20}, {"input", "bad_pixels"},
      {projections_from(counts, 1, 1, 12), projections_from(map, 1, 1, 12)}, {"output"}, options());
  for (int u = 0; u < 12; ++u) EXPECT_NEAR(out.values()[static_cast<std::size_t>(u)], 0.1 * u, 2e-6) << u;
}

TEST_P(LineIntegralsOperator, FollowTheBeamsOutputByTheBorderColumns) {
  RawScan scan;
  scan.dead.clear(), scan.hot.clear(), scan.noisy.clear(), scan.stuck.clear();
  std::vector<double> output;
  for (int n = 0; n < 24; ++n) output.push_back(1.0 + 0.2 * std::sin(0.5 * n));
  const std::vector<Payload> in = {scan.payload(scan.counts(30000, output)), scan.frames_payload(64, 0, 1),
                                   scan.frames_payload(64, 30000, 2)};
  const auto error = [&](int border) {
    return largest_error(
        run_once<LineIntegrals>({.border_columns = border}, {"input", "dark", "flat"}, in, {"output"}, options())
            .values(),
        scan, false);
  };
  EXPECT_GT(error(0), 0.15);
  EXPECT_LT(error(3), 2e-3);
  const Outcome wide =
      run_once<LineIntegrals>({.border_columns = 30}, {"input", "dark", "flat"}, in, {"output"}, options());
  EXPECT_LT(wide.metric("i0"), 0.8) << "thirty columns see the head";
}

TEST_P(LineIntegralsOperator, ClampAndCountWhatHasNoLogarithm) {
  std::vector<float> counts(2 * 3 * 5, 500.0F);
  counts[1] = 0.0F, counts[7] = -20.0F, counts[8] = std::nanf(""), counts[22] = INFINITY;
  const Outcome out = run_once<LineIntegrals>({.i0_counts = 1000, .minimum_counts = 2}, {"input"},
                                              {projections_from(counts, 2, 3, 5)}, {"output"}, options());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const bool bad = i == 1 || i == 7 || i == 8 || i == 22;
    EXPECT_NEAR(out.values()[i], bad ? std::log(500.0) : std::log(2.0), 3e-6) << i;
  }
  const auto clamped = out.values("output", "clamped");
  EXPECT_EQ(std::vector<float>(clamped.begin(), clamped.end()), (std::vector<float>{1, 2, 0, 0, 1, 0}));
  EXPECT_EQ(out.metric("clamped"), 4.0);
  EXPECT_EQ(out.outputs.at("output").text("unit"), "1");
  EXPECT_THAT(out.report, HasSubstr("4 counts have no logarithm, the first at view 0, row 0, column 1: "));
  EXPECT_THAT(out.report, HasSubstr("stands for these 13.333333 %"));
}

TEST_P(LineIntegralsOperator, WarnOfAnOpenBeamThatIsTooLow) {
  std::vector<float> counts(2 * 3 * 5, 500.0F);
  for (std::size_t i = 0; i < 18; ++i) counts[i] = 900.0F;
  const auto of = [&](double i0) {
    return run_once<LineIntegrals>({.i0_counts = i0}, {"input"}, {projections_from(counts, 2, 3, 5)}, {"output"},
                                   options());
  };
  const Outcome low = of(600), right = of(900);
  EXPECT_NEAR(low.metric("above_i0"), 60.0, 1e-9);
  EXPECT_THAT(low.report, HasSubstr("60 % of the readings are above 1.25 times the open beam's"));
  EXPECT_EQ(right.metric("above_i0"), 0.0);
  EXPECT_THAT(right.report, Not(HasSubstr("open beam's")));
}

TEST(LineIntegralsMessages, SayWhatIsWrong) {
  const RawScan scan;
  const Projections counts = scan.payload(scan.counts(30000)), dark = scan.frames_payload(4, 0, 1),
                    flat = scan.frames_payload(4, 30000, 2);
  const auto message = [&](const LineIntegrals::Params& params, std::vector<const char*> ports,
                           std::vector<Payload> payloads) {
    return error_of([&] { run_once<LineIntegrals>(params, ports, payloads); });
  };
  EXPECT_THAT(message({}, {"input"}, {counts}),
              HasSubstr("there are no flats, and i0_counts and border_columns are 0"));
  EXPECT_THAT(message({}, {"input", "flat"}, {counts, projections_from(std::vector<float>(60, 1.0F), 1, 6, 10)}),
              AllOf(HasSubstr("'input' has 37 rows x 61 columns"), HasSubstr("'flat' 6 rows x 10 columns")));
  EXPECT_THAT(message({}, {"input", "dark", "flat"}, {counts, flat, dark}),
              HasSubstr("the dark is as bright as the flat or brighter"));
  EXPECT_THAT(message({.border_columns = 31}, {"input"}, {counts}),
              HasSubstr("border_columns = 31 at each side of a detector of 61 columns"));
  EXPECT_THAT(message({.largest_defect_percent = 1}, {"input", "dark", "flat"}, {counts, dark, flat}),
              AllOf(HasSubstr("of 2257 pixels are defective"), HasSubstr("the first at row 0, column 0")));
  std::vector<float> all(2257, 1.0F);
  EXPECT_THAT(message({}, {"input", "flat", "bad_pixels"}, {counts, flat, projections_from(all, 1, 37, 61)}),
              HasSubstr("all 2257 pixels are defective"));
  EXPECT_THAT(message({}, {"input", "flat", "bad_pixels"}, {counts, flat, dark}),
              HasSubstr("input 'bad_pixels' has 4 frames"));
  std::vector<float> zeros = scan.counts(30000);
  zeros[5 * 2257 + 61 + 7] = -4.0F;
  EXPECT_THAT(message({.i0_counts = 30000, .bad_counts = BadCounts::refuse}, {"input"}, {scan.payload(zeros)}),
              AllOf(HasSubstr("1 counts have no logarithm, the first at view 5, row 1, column 7: -4")));
  std::vector<float> spoilt = scan.frames(4, 30000, 2);
  spoilt[77] = std::nanf("");
  EXPECT_THAT(message({}, {"input", "flat"}, {counts, projections_from(spoilt, 4, 37, 61)}),
              HasSubstr("the flat frames hold NaN or infinity"));
}

}  // namespace
}  // namespace isocenter::testing
