#include <gmock/gmock.h>

#include <isocenter/render/maximum_intensity_projection.hpp>

#include "device_test.hpp"
#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

constexpr int n = 19;

/// One pixel a voxel, values 0 to 100 as bytes: the orthographic picture of a cube of n voxels fills n × n pixels.
MaximumIntensityProjection::Params plain(IntensityProjection projection, double turn_deg) {
  return {.projection = projection,
          .window_centre = 127.5,
          .window_width = 255,
          .width = n,
          .height = n,
          .frames = 1,
          .turn_deg = turn_deg};
}

ISOCENTER_DEVICE_SUITE(MaximumIntensityProjectionTest);

TEST_P(MaximumIntensityProjectionTest, IsTheLargestVoxelOfEachRayAlongAnAxis) {
  const Volume v = random_volume(n, n, n, 5);
  const auto at = [&](int x, int y, int z) { return v.values()[static_cast<std::size_t>((z * n + y) * n + x)]; };
  const auto show = [&](IntensityProjection mode, double turn) {
    return Picture(apply<MaximumIntensityProjection>(context(), plain(mode, turn), v, options()));
  };
  const Picture front = show(IntensityProjection::maximum, 0), left = show(IntensityProjection::maximum, 90),
                least = show(IntensityProjection::minimum, 0), mean = show(IntensityProjection::mean, 0);
  for (int r = 0; r < n; ++r)
    for (int c = 0; c < n; ++c) {
      float front_most = 0, left_most = 0, front_least = 100, sum = 0;
      for (int i = 0; i < n; ++i) {
        front_most = std::max(front_most, at(c, i, n - 1 - r));
        front_least = std::min(front_least, at(c, i, n - 1 - r));
        sum += at(c, i, n - 1 - r);
        left_most = std::max(left_most, at(i, c, n - 1 - r));  // seen from the left the front is on the left
      }
      EXPECT_NEAR(front.grey(0, r, c), front_most, 0.51);
      EXPECT_NEAR(left.grey(0, r, c), left_most, 0.51);
      EXPECT_NEAR(least.grey(0, r, c), front_least, 0.51);
      EXPECT_NEAR(mean.grey(0, r, c), sum / n, 0.51);
    }
}

TEST_P(MaximumIntensityProjectionTest, TurnsTheWayItSays) {
  // A bright spot on the patient's left, in front, towards the head.
  std::vector<float> voxels(21 * 21 * 21, 0.0F);
  voxels[(16 * 21 + 5) * 21 + 17] = 200;
  const Volume v = Volume::own(std::move(voxels), 21, 21, 21, Geometry(), "1");
  auto params = plain(IntensityProjection::maximum, 0);
  params.width = params.height = 21;
  params.frames = 4;
  params.samples_per_voxel = 2;
  const Picture p(apply<MaximumIntensityProjection>(context(), params, v, options()));
  const double expected_column[] = {17, 5, 3, 15};  // from the front, the left, the back, the right
  for (int frame = 0; frame < 4; ++frame) {
    const auto [row, column] = p.bright_centre(frame);
    EXPECT_NEAR(row, 20 - 16, 0.6) << frame;
    EXPECT_NEAR(column, expected_column[frame], 0.6) << frame;
  }
}

TEST_P(MaximumIntensityProjectionTest, LooksDownFromAboveTheHead) {
  std::vector<float> voxels(21 * 21 * 21, 0.0F);
  voxels[(10 * 21 + 4) * 21 + 17] = 200;  // left and in front
  const Volume v = Volume::own(std::move(voxels), 21, 21, 21, Geometry(), "1");
  auto params = plain(IntensityProjection::maximum, 0);
  params.width = params.height = 21;
  params.elevation_deg = 90;
  const auto [row, column] =
      Picture(apply<MaximumIntensityProjection>(context(), params, v, options())).bright_centre(0);
  EXPECT_NEAR(row, 16, 0.6) << "the front is below";
  EXPECT_NEAR(column, 17, 0.6) << "the left stays right";
}

TEST_P(MaximumIntensityProjectionTest, ShowsTheMomentsOfAMovingVolume) {
  std::vector<float> voxels;
  for (int t = 0; t < 3; ++t) voxels.insert(voxels.end(), 8 * 8 * 8, 50.0F * static_cast<float>(t + 1));
  Volume v = Volume::describe(8, 8, 8, 3, Geometry(), "1");
  v.set_tensor("voxels", tensor(DType::float32, "tzyx", {3, 8, 8, 8}, voxels.data()));
  auto params = plain(IntensityProjection::maximum, 0);
  params.width = params.height = 16;
  params.frames = 6;
  params.time_cycles = 2;
  const Picture p(apply<MaximumIntensityProjection>(context(), params, v, options()));
  const int expected[] = {50, 100, 150, 50, 100, 150};
  for (int frame = 0; frame < 6; ++frame) EXPECT_EQ(p.grey(frame, 8, 8), expected[frame]);
}

TEST(MaximumIntensityProjectionOnCpu, IsTheReferenceBitForBitOnAnyNumberOfThreads) {
  const Volume v = Volume::own(blobs(45, 37, 29), 45, 37, 29, Geometry({1, 1.2, 1.7}, {0, 0, 0}), "1");
  for (const auto mode : {IntensityProjection::maximum, IntensityProjection::minimum, IntensityProjection::mean}) {
    const MaximumIntensityProjection::Params params{.projection = mode,
                                                    .window_centre = 50,
                                                    .window_width = 100,
                                                    .width = 67,
                                                    .height = 45,
                                                    .frames = 3,
                                                    .camera = CameraKind::perspective,
                                                    .elevation_deg = 20};
    const Picture reference(apply<MaximumIntensityProjection>(context_with(1, true), params, v));
    for (const int threads : {1, 3})
      EXPECT_EQ(Picture(apply<MaximumIntensityProjection>(context_with(threads, false), params, v)).pixels,
                reference.pixels);
  }
}

TEST(MaximumIntensityProjectionErrors, NameAnAxisThatIsNone) {
  const Volume v = random_volume(4, 4, 4, 1);
  EXPECT_THAT(error_of([&] {
                apply<MaximumIntensityProjection>(context(), {.axis = {0, 0, 0}}, v);
              }),
              HasSubstr("axis has 3 numbers or no length"));
  EXPECT_THAT(error_of([&] { apply<MaximumIntensityProjection>(context(), {.axis = {1}}, v); }),
              HasSubstr("axis has 1 numbers"));
}

}  // namespace
}  // namespace isocenter::testing
