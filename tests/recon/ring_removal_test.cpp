// Rings: a head seen by a detector with wrong gains; the kernels against std::sort and std::nth_element.
#include "recon/ring_removal.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/recon/ring_removal.hpp>
#include <numeric>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(RingRemovalOperator);

TEST_P(RingRemovalOperator, TakesTheRingsOutOfAHead) {
  detail::Solids head;
  detail::shepp_logan(detail::Contrast::modified, 100, &head);
  const CircularOrbit orbit = fan_orbit(360);
  const std::vector<float> clean = line_integrals_of(head, orbit, 0.02059);
  std::vector<float> error(160);
  detail::Philox random(8, 0);
  for (float& e : error) e = static_cast<float>(random.uniform(-0.01, 0.01));
  error[52] = 0.1F, error[53] = 0.1F, error[109] = -0.1F;
  std::vector<float> p = clean;
  for (std::size_t k = 0; k < p.size(); ++k) p[k] += error[k % 160];
  const Projections raw = projections_from(p, orbit.views, 1, 160, orbit.build());
  const Projections repaired(apply<RingRemoval>(context(), {.window = 9}, raw, options()));
  const Projections of_clean(apply<RingRemoval>(
      context(), {.window = 9}, projections_from(clean, orbit.views, 1, 160, orbit.build()), options()));
  const Slice truth = slice_of(clean, orbit), before = slice_of(raw), after = slice_of(repaired);
  const double e0 = before.rmse(truth, 60), e1 = after.rmse(truth, 60), e2 = slice_of(of_clean).rmse(truth, 60);
  picture("ring_removal_before", before, 0.002, 0.008);
  picture("ring_removal_after", after, 0.002, 0.008);
  std::printf(
      "RMSE against the scan without gain errors, within 60 mm: %.2e before, %.2e after, %.2e of a clean scan\n", e0,
      e1, e2);
  EXPECT_GT(e0, 6e-4);
  EXPECT_LT(e1, 0.35 * e0);
}

/// The same by std::sort, in doubles' order of equal values.
std::vector<float> reference(const std::vector<float>& in, int views, int rows, int columns, int window) {
  std::vector<float> out(in.size());
  const auto at = [&](int n, int v, int u) { return static_cast<std::size_t>((n * rows + v) * columns + u); };
  for (int v = 0; v < rows; ++v) {
    std::vector<std::vector<int>> order(static_cast<std::size_t>(columns));
    for (int u = 0; u < columns; ++u) {
      auto& o = order[static_cast<std::size_t>(u)];
      o.resize(static_cast<std::size_t>(views));
      std::iota(o.begin(), o.end(), 0);
      std::sort(o.begin(), o.end(), [&](int a, int b) { return in[at(a, v, u)] < in[at(b, v, u)]; });
    }
    for (int u = 0; u < columns; ++u)
      for (int n = 0; n < views; ++n) {
        std::vector<float> near;
        for (int i = -window / 2; i <= window / 2; ++i) {
          const int c = std::clamp(u + i, 0, columns - 1);
          near.push_back(in[at(order[static_cast<std::size_t>(c)][static_cast<std::size_t>(n)], v, c)]);
        }
        std::nth_element(near.begin(), near.begin() + window / 2, near.end());
        out[at(order[static_cast<std::size_t>(u)][static_cast<std::size_t>(n)], v, u)] =
            near[static_cast<std::size_t>(window / 2)];
      }
  }
  return out;
}

TEST_P(RingRemovalOperator, SortsAndSmoothsAsItsReferenceOverOddSizes) {
  detail::Philox random(5, 0);
  for (const auto& [views, rows, columns, window] :
       {std::array{3, 1, 3, 3}, std::array{17, 3, 29, 5}, std::array{64, 2, 41, 41}, std::array{101, 4, 13, 7}}) {
    std::vector<float> in;
    for (int i = 0; i < views * rows * columns; ++i) in.push_back(static_cast<float>(random.uniform(0, 4)));
    const auto out = run_once<RingRemoval>({.window = window}, {"input"}, {projections_from(in, views, rows, columns)},
                                           {"output"}, options());
    const auto got = out.values();
    EXPECT_EQ(std::vector<float>(got.begin(), got.end()), reference(in, views, rows, columns, window)) << views;
  }
}

TEST(RingRemovalMessages, SayWhatIsWrong) {
  const auto message = [&](int window, int views) {
    const Projections p = projections_from(std::vector<float>(static_cast<std::size_t>(views * 14)), views, 2, 7);
    return error_of([&] { run_once<RingRemoval>({.window = window}, {"input"}, {p}); });
  };
  EXPECT_THAT(message(4, 5), HasSubstr("window = 4 columns on a detector of 7"));
  EXPECT_THAT(message(9, 5), HasSubstr("window = 9 columns on a detector of 7"));
  EXPECT_THAT(message(3, 2), HasSubstr("has 2 views, and at least 3 are needed"));
  Projections block = projections_from(std::vector<float>(70), 5, 2, 7);
  set_view_blocks(block, 8);
  EXPECT_THAT(error_of([&] { run_once<RingRemoval>({.window = 3}, {"input"}, {block}); }),
              HasSubstr("the scan comes in 8 blocks"));
}

}  // namespace
}  // namespace isocenter::testing
