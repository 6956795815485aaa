#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/volume/mirror_volume.hpp>

#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(MirrorVolumeTest);

TEST_P(MirrorVolumeTest, TakesEachVoxelToItsMirrorImageInEveryChannel) {
  constexpr std::int64_t nx = 11, ny = 5, nz = 3, channels = 2;
  Volume in{Payload(ISOCENTER_VOLUME)};
  in.set_tensor("voxels", tensor(DType::float32, "czyx", {channels, nz, ny, nx}));
  in.set_geometry(Geometry({1, 2, 3}, {4, 5, 6}));
  context().allocate(in);
  for (std::size_t i = 0; i < in.values().size(); ++i) in.values()[i] = static_cast<float>(i);
  for (int axes = 1; axes < 8; ++axes) {
    const MirrorVolume::Params params{(axes & 1) != 0, (axes & 2) != 0, (axes & 4) != 0};
    const Volume out{apply<MirrorVolume>(context(), params, in, options())};
    for (std::int64_t i = 0; i < channels * nz * ny * nx; ++i) {
      const std::int64_t x = i % nx, y = i / nx % ny, z = i / nx / ny % nz, c = i / nx / ny / nz;
      const std::int64_t from = ((c * nz + (params.z ? nz - 1 - z : z)) * ny + (params.y ? ny - 1 - y : y)) * nx +
                                (params.x ? nx - 1 - x : x);
      ASSERT_EQ(out.values()[static_cast<std::size_t>(i)], static_cast<float>(from)) << axes << " " << i;
    }
    EXPECT_EQ(out.geometry().origin_mm[0], 4) << "the grid stays";
    const Volume back{apply<MirrorVolume>(context(), params, out, options())};
    EXPECT_TRUE(std::equal(back.values().begin(), back.values().end(), in.values().begin()));
  }
}

TEST(MirrorVolumeErrors, NameParametersAndAxes) {
  EXPECT_THAT(error_of([] { apply<MirrorVolume>(context(), {}, Volume::describe(2, 2, 2, Geometry(), "HU")); }),
              HasSubstr("x, y and z are all false, and nothing would be mirrored. Fix: set at least one to true"));
}

}  // namespace
}  // namespace isocenter::testing
