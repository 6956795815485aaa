#include <gmock/gmock.h>

#include <isocenter/render/slice_interpolation.hpp>

#include "core/launch.hpp"
#include "device_test.hpp"
#include "render/render_test_data.hpp"
#include "render/slice_match_tuned.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A bright bar of 6 mm that goes sideways by `slant` mm for each mm up: where straight interpolation makes stairs.
double bar(std::array<double, 3> p, double slant) {
  const double d = std::hypot(p[0] - 32 - slant * (p[2] - 16), p[1] - 20);
  return 1000 / (1 + std::exp(2 * (d - 3))) - 100;
}
Volume slanted(double slice_mm, double slant) {
  const int slices = static_cast<int>(32 / slice_mm) + 1;
  return stored({{0, 1, 2}, {}}, {64, 40, slices}, {0, 0, 0}, {1, 1, slice_mm},
                [&](std::array<double, 3> p) { return bar(p, slant); });
}
double error_against_truth(const Volume& out, double slant) {
  const Geometry g = out.geometry();
  double sum = 0;
  std::size_t i = 0;
  for (int z = 0; z < out.nz(); ++z)
    for (int y = 0; y < out.ny(); ++y)
      for (int x = 0; x < out.nx(); ++x, ++i) sum += std::pow(out.values()[i] - bar(g.position_mm(x, y, z), slant), 2);
  return std::sqrt(sum / static_cast<double>(i));
}

ISOCENTER_DEVICE_SUITE(SliceInterpolationTest);

TEST_P(SliceInterpolationTest, FollowsASlantingBarWhereStraightInterpolationMakesStairs) {
  const Volume thick = slanted(4, 1.0);
  const Volume along = apply<SliceInterpolation>(context(), {.slice_mm = 1}, thick, options());
  const Volume straight = apply<SliceInterpolation>(context(), {.slice_mm = 1, .reach_mm = 0}, thick, options());
  ASSERT_EQ(along.nz(), 33);
  EXPECT_EQ(along.geometry().spacing_mm[2], 1);
  EXPECT_GT(error_against_truth(straight, 1.0), 25);
  EXPECT_LT(error_against_truth(along, 1.0), 0.35 * error_against_truth(straight, 1.0));
}

TEST_P(SliceInterpolationTest, KeepsTheSlicesThatItWasGiven) {
  const Volume in = random_volume(21, 18, 5, 3, {1, 1, 3});
  const Volume out = apply<SliceInterpolation>(context(), {.slice_mm = 1, .high = 601}, in, options());
  ASSERT_EQ(out.nz(), 13);
  for (int z = 0; z < 5; ++z)
    for (std::size_t i = 0; i < 21 * 18; ++i)
      ASSERT_EQ(out.values()[static_cast<std::size_t>(3 * z) * 21 * 18 + i],
                in.values()[static_cast<std::size_t>(z) * 21 * 18 + i]);
}

TEST_P(SliceInterpolationTest, InterpolatesStraightWhereNothingMoves) {
  const Volume in =
      stored({{0, 1, 2}, {}}, {16, 12, 3}, {0, 0, 0}, {1, 1, 4}, [](std::array<double, 3> p) { return 50 * p[2]; });
  const Volume out = apply<SliceInterpolation>(context(), {.slice_mm = 1}, in, options());
  const Geometry g = out.geometry();
  std::size_t i = 0;
  for (int z = 0; z < out.nz(); ++z)
    for (int n = 0; n < 16 * 12; ++n, ++i) EXPECT_NEAR(out.values()[i], 50 * g.position_mm(0, 0, z)[2], 1e-2);
}

TEST_P(SliceInterpolationTest, TakesLabelsAlong) {
  const Volume in = slanted(4, 1.0);
  std::vector<std::uint8_t> labels;
  for (const float v : in.values()) labels.push_back(v > 400 ? 3 : 0);
  Segmentation s = segmentation_of(labels, in);
  const double colours[] = {0, 0, 0, 1, 0, 0};
  s.set_numbers("labels.colours", colours);
  Pipeline pipeline(context());
  const auto node = pipeline.add<SliceInterpolation>("slices", {.slice_mm = 1});
  pipeline.connect(pipeline.add_input("volume", in), node.input);
  pipeline.connect(pipeline.add_input("labels", s), node.segmentation);
  pipeline.add_output("labels_out", node.labels);
  Session session = pipeline.prepare(options());
  session.start();
  session.push("volume", in);
  session.push("labels", s);
  session.end_input("volume");
  session.end_input("labels");
  const Segmentation out = context().copy_to(*session.pull("labels_out"), "cpu");
  ASSERT_EQ(out.labels().extent('z'), 33);
  EXPECT_EQ(out.numbers("labels.colours").size(), 6U);
  const auto marked = out.labels().span<const std::uint8_t>();
  const Geometry g = out.geometry();
  int wrong = 0, inside = 0;
  std::size_t i = 0;
  for (int z = 0; z < 33; ++z)
    for (int y = 0; y < 40; ++y)
      for (int x = 0; x < 64; ++x, ++i) {
        const bool truth = bar(g.position_mm(x, y, z), 1.0) > 400;
        inside += truth ? 1 : 0;
        wrong += truth != (marked[i] == 3) ? 1 : 0;
      }
  EXPECT_LT(wrong, inside / 8) << "of " << inside;
}

TEST_P(SliceInterpolationTest, LeavesAVolumeOfThinOrSingleSlicesAsItIs) {
  for (const int nz : {1, 4}) {
    const Volume in = random_volume(9, 7, nz, 4);
    const Volume out = apply<SliceInterpolation>(context(), {}, in, options());
    EXPECT_EQ(std::vector<float>(out.values().begin(), out.values().end()),
              std::vector<float>(in.values().begin(), in.values().end()));
  }
}

TEST(SliceInterpolationOnCpu, IsTheReferenceBitForBit) {
  for (const auto& n : {std::array{70, 40, 3}, std::array{300, 33, 2}, std::array{5, 3, 2}}) {
    const Volume in = random_volume(n[0], n[1], n[2], 9, {1, 1, 4});
    const SliceInterpolation::Params params{.slice_mm = 2, .reach_mm = 6, .low = 10, .high = 80};
    const Volume reference = apply<SliceInterpolation>(context_with(1, true), params, in);
    const Volume tuned = apply<SliceInterpolation>(context_with(3, false), params, in);
    EXPECT_EQ(std::vector<float>(tuned.values().begin(), tuned.values().end()),
              std::vector<float>(reference.values().begin(), reference.values().end()));
  }
}

TEST(SliceInterpolationErrors, SayWhatIsTooFarTooManyOrUpsideDown) {
  const Volume in = random_volume(4, 4, 3, 1, {0.5, 0.5, 3});
  EXPECT_THAT(error_of([&] { apply<SliceInterpolation>(context(), {.reach_mm = 50}, in); }),
              AllOf(HasSubstr("reach_mm = 50 spans 50 pixels"), HasSubstr("at most 16")));
  EXPECT_THAT(error_of([&] { apply<SliceInterpolation>(context(), {.low = 5, .high = 5}, in); }),
              HasSubstr("low = 5 is not below high = 5"));
}

TEST(SliceInterpolationErrors, NameLabelsWithoutASegmentation) {
  const Volume in = random_volume(4, 4, 3, 1);
  Pipeline pipeline(context());
  const auto node = pipeline.add<SliceInterpolation>("slices");
  pipeline.connect(pipeline.add_input("volume", in), node.input);
  pipeline.add_output("labels_out", node.labels);
  EXPECT_THAT(error_of([&] { pipeline.prepare(); }),
              AllOf(HasSubstr("'slices'"), HasSubstr("output 'labels' is connected"), HasSubstr("connect a segm")));
}

}  // namespace
}  // namespace isocenter::testing
