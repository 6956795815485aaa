#include <gmock/gmock.h>

#include <isocenter/render/multi_planar_reformat.hpp>

#include "device_test.hpp"
#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

double ramp(std::array<double, 3> p) { return 3 + 2 * p[0] - p[1] + 0.5 * p[2]; }

ISOCENTER_DEVICE_SUITE(MultiPlanarReformatTest);

TEST_P(MultiPlanarReformatTest, IsExactOnALinearRampInAnyPlane) {
  const Volume in = stored({{2, 0, 1}, {true, false, true}}, {21, 17, 13}, {-10, 5, 40}, {1, 0.8, 2.5}, ramp);
  const MultiPlanarReformat::Params params{.plane = ReformatPlane::oblique,
                                           .row_direction = {0.8, 0.6, 0},
                                           .column_direction = {-0.36, 0.48, 0.8},
                                           .centre_mm = {0, 11, 55},
                                           .width = 9,
                                           .height = 7,
                                           .slices = 3,
                                           .pixel_mm = 0.7,
                                           .slice_mm = 1.3,
                                           .outside = -1};
  const Volume out = apply<MultiPlanarReformat>(context(), params, in, options());
  ASSERT_EQ((std::array<std::int64_t, 3>{out.nx(), out.ny(), out.nz()}), (std::array<std::int64_t, 3>{9, 7, 3}));
  const Geometry g = out.geometry();
  const auto centre = g.position_mm(4, 3, 1);
  EXPECT_NEAR(centre[0], 0, 1e-9);
  EXPECT_NEAR(centre[1], 11, 1e-9);
  EXPECT_NEAR(centre[2], 55, 1e-9);
  std::size_t i = 0;
  for (int k = 0; k < 3; ++k)
    for (int r = 0; r < 7; ++r)
      for (int c = 0; c < 9; ++c, ++i) EXPECT_NEAR(out.values()[i], ramp(g.position_mm(c, r, k)), 2e-4);
}

TEST_P(MultiPlanarReformatTest, TurnsEveryWayOfStoringIntoTheSameVolume) {
  const auto field = [](std::array<double, 3> p) { return std::sin(p[0]) + 10 * std::cos(p[1]) + p[2] * p[2]; };
  for (const Storage& s : all_storages()) {
    const Volume in = stored(s, {6, 5, 4}, {3, -2, 7}, {1.5, 1.5, 1.5}, field);
    const Volume out = apply<MultiPlanarReformat>(context(), {}, in, options());
    ASSERT_EQ((std::array<std::int64_t, 3>{out.nx(), out.ny(), out.nz()}), (std::array<std::int64_t, 3>{6, 5, 4}));
    const Geometry g = out.geometry();
    std::size_t i = 0;
    for (int k = 0; k < 4; ++k)
      for (int r = 0; r < 5; ++r)
        for (int c = 0; c < 6; ++c, ++i) {
          EXPECT_EQ(g.position_mm(c, r, k), (std::array{3 + 1.5 * c, -2 + 1.5 * r, 7 + 1.5 * k}));
          EXPECT_EQ(out.values()[i], static_cast<float>(field(g.position_mm(c, r, k))));
        }
  }
}

TEST_P(MultiPlanarReformatTest, LooksAcrossASlab) {
  // Values 0, 1, 4, 9, ... along the head: a slab of 4 mm sees five of them.
  const Volume in =
      stored({{0, 1, 2}, {}}, {3, 3, 9}, {0, 0, 0}, {1, 1, 1}, [](std::array<double, 3> p) { return p[2] * p[2]; });
  MultiPlanarReformat::Params params{.centre_mm = {1, 1, 4}, .slices = 1, .slab_mm = 4};
  const auto value = [&] { return Volume(apply<MultiPlanarReformat>(context(), params, in, options())).values()[4]; };
  EXPECT_FLOAT_EQ(value(), (4 + 9 + 16 + 25 + 36) / 5.0F);
  params.slab = SlabProjection::maximum;
  EXPECT_FLOAT_EQ(value(), 36);
  params.slab = SlabProjection::minimum;
  EXPECT_FLOAT_EQ(value(), 4);
  params.centre_mm = {1, 1, 7};  // half of the slab is outside and does not count
  EXPECT_FLOAT_EQ(value(), 25);
  params.slab = SlabProjection::mean;
  EXPECT_FLOAT_EQ(value(), (25 + 36 + 49 + 64) / 4.0F);
}

TEST_P(MultiPlanarReformatTest, SaysOutsideWhereThereIsNothing) {
  const Volume in = Volume::own(std::vector<float>(27, 5.0F), 3, 3, 3, Geometry(), "HU");
  const Volume out =
      apply<MultiPlanarReformat>(context(), {.width = 11, .height = 5, .slices = 1, .outside = -7}, in, options());
  for (int r = 0; r < 5; ++r)
    for (int c = 0; c < 11; ++c)
      EXPECT_EQ(out.values()[static_cast<std::size_t>(r * 11 + c)], c >= 4 && c <= 6 && r >= 1 && r <= 3 ? 5 : -7);
}

TEST_P(MultiPlanarReformatTest, TakesTheNearestVoxelWhereAsked) {
  const Volume in = stored({{0, 1, 2}, {}}, {4, 1, 1}, {0, 0, 0}, {1, 1, 1}, [](auto p) { return 10 * p[0]; });
  const Volume out =
      apply<MultiPlanarReformat>(context(), {.pixel_mm = 0.4, .interpolation = Interpolation::nearest}, in, options());
  const float expected[] = {0, 0, 10, 10, 20, 20, 20, 30, 30};
  ASSERT_EQ(out.nx(), 9);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(out.values()[i], expected[i]) << i;
}

TEST_P(MultiPlanarReformatTest, KeepsTime) {
  std::vector<float> voxels;
  for (int i = 0; i < 2 * 2 * 3 * 4; ++i) voxels.push_back(static_cast<float>(i));
  Geometry g;
  g.time_step_s = 0.25;
  Volume in = Volume::describe(4, 3, 2, 2, g, "1");
  in.set_tensor("voxels", tensor(DType::float32, "tzyx", {2, 2, 3, 4}, voxels.data()));
  const Volume out = apply<MultiPlanarReformat>(context(), {}, in, options());
  EXPECT_STREQ(out.voxels().axes, "tzyx");
  EXPECT_EQ(out.geometry().time_step_s, 0.25);
  EXPECT_TRUE(std::equal(voxels.begin(), voxels.end(), out.values().begin(), out.values().end()));
}

TEST(MultiPlanarReformatErrors, NameDirectionsThatDoNotSpanAPlane) {
  const Volume in = Volume::own(std::vector<float>(8), 2, 2, 2, Geometry(), "HU");
  MultiPlanarReformat::Params params{.plane = ReformatPlane::oblique, .column_direction = {0.6, 0.8, 0}};
  EXPECT_THAT(error_of([&] { apply<MultiPlanarReformat>(context(), params, in); }),
              AllOf(HasSubstr("product 0.6"), HasSubstr("right angles")));
  params.row_direction = {0, 0, 0};
  EXPECT_THAT(error_of([&] { apply<MultiPlanarReformat>(context(), params, in); }), HasSubstr("row_direction has 3"));
  EXPECT_THAT(error_of([&] {
                apply<MultiPlanarReformat>(context(), {.centre_mm = {1, 2}}, in);
              }),
              HasSubstr("centre_mm has 2 numbers"));
}

TEST(MultiPlanarReformatErrors, NameAGridThatIsTooFine) {
  const Volume in = Volume::own(std::vector<float>(200 * 2 * 2), 200, 2, 2, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { apply<MultiPlanarReformat>(context(), {.pixel_mm = 0.001}, in); }),
              AllOf(HasSubstr("width would be 199001"), HasSubstr("larger pixel_mm")));
}

}  // namespace
}  // namespace isocenter::testing
