// Insides: functions on lanes against the standard library, transfer functions, bricks, and packs against single lanes.
#include <gtest/gtest.h>

#include <cmath>

#include "core/launch.hpp"
#include "render/camera_path.hpp"
#include "render/render_test_data.hpp"
#include "render/transfer_presets.hpp"
#include "render/tuned_frames.hpp"
#include "test_launcher.hpp"

namespace isocenter::detail {
namespace {

using isocenter::testing::launcher_with;

TEST(LaneMath, IsAsCloseToTheStandardLibraryAsItSays) {
  for (double x = 0; x < 80; x += 0.0137) {
    const auto rounded = static_cast<float>(x);
    // The argument times log2(e) is rounded once: 6e-8 of it in the exponent.
    EXPECT_NEAR(exp_negative(rounded) / std::exp(-static_cast<double>(rounded)), 1, 3e-7 + 1.2e-7 * x);
  }
  EXPECT_EQ(exp_negative(0.0F), 1.0F);
  EXPECT_LT(exp_negative(1e30F), 1e-37F);
  for (float x = 1e-6F; x < 1e6F; x *= 1.01F) {
    EXPECT_NEAR(log2_positive(x), std::log2(static_cast<double>(x)), 3e-6);
    EXPECT_NEAR(inverse_sqrt(x) * std::sqrt(static_cast<double>(x)), 1, 4e-7);
    EXPECT_NEAR(square_root(x) / std::sqrt(static_cast<double>(x)), 1, 5e-7);
  }
  EXPECT_EQ(square_root(0.0F), 0.0F);
}

TEST(LaneMath, GivesTheSameBitsForAPackAndForOneLane) {
  for (float x = 0; x < 50; x += 0.731F) {
    float8 pack{};
    for (int k = 0; k < 8; ++k) pack[k] = x + 0.01F * static_cast<float>(k);
    const float8 e = exp_negative(pack), s = srgb_encode(pack * 0.02F), r = inverse_sqrt(pack + 0.1F);
    for (int k = 0; k < 8; ++k) {
      EXPECT_EQ(e[k], exp_negative(pack[k]));
      EXPECT_EQ(s[k], srgb_encode(pack[k] * 0.02F));
      EXPECT_EQ(r[k], inverse_sqrt(pack[k] + 0.1F));
    }
  }
}

TEST(Srgb, RoundsToTheBytesOfTheStandard) {
  int off = 0;
  for (int i = 0; i <= 10000; ++i) {
    const double linear = i / 10000.0;
    off += to_byte(srgb_encode(static_cast<float>(linear))) != isocenter::testing::srgb_byte(linear) ? 1 : 0;
  }
  EXPECT_LE(off, 2);  // where the code falls on the edge of two bytes
}

TEST(TransferFunctions, AreStraightLinesBetweenTheirPoints) {
  const TransferFunction f = transfer_function({{-100, 0, 0, 0, 0}, {100, 0.5, 1, 0, 0}, {300, 0, 1, 1, 1}}, 2);
  const double peak = -2 * std::log(0.5);
  EXPECT_EQ(f.extinction(-500.0F), 0.0F);
  EXPECT_NEAR(f.extinction(0.0F), peak / 2, 1e-6);
  EXPECT_NEAR(f.extinction(150.0F), peak * 0.75, 1e-6);
  EXPECT_EQ(f.extinction(300.0F), 0.0F);
  EXPECT_EQ(f.extinction(1e9F), 0.0F);
  EXPECT_NEAR(f.channel(2, 200.0F), 0.5, 1e-6);
  EXPECT_NEAR(f.largest_extinction(0.0F, 250.0F), peak, 1e-6);
  EXPECT_NEAR(f.largest_extinction(-50.0F, 0.0F), peak / 2, 1e-6);
  EXPECT_EQ(f.largest_extinction(-900.0F, -100.0F), 0.0F);
}

TEST(TransferFunctions, OfEveryPresetPassTheirOwnCheck) {
  for (int preset = 0; preset < static_cast<int>(std::size(VolumeRender::Params::presets)); ++preset) {
    std::vector<double> fives;
    for (const TransferPoint& p : preset_style(static_cast<TransferPreset>(preset)).points)
      fives.insert(fives.end(), {p.value, p.opacity, p.red, p.green, p.blue});
    ASSERT_FALSE(fives.empty()) << preset;
    EXPECT_NO_THROW(points_of(fives)) << preset;
  }
}

TEST(Bricks, HoldTheRangeOfTheirSamplesAndTheDistanceToWhatShows) {
  const int nx = 43, ny = 30, nz = 19;
  std::vector<float> v(nx * ny * nz, 0.0F);
  v[(10 * ny + 20) * nx + 24] = 50;  // voxel 24 is the last of brick 2 and the first of brick 3 along x
  const int bx = bricks_along(nx), by = bricks_along(ny), bz = bricks_along(nz), bricks = bx * by * bz;
  std::vector<float> low(static_cast<std::size_t>(bricks)), high = low, content = low, distance = low;
  launch(launcher_with(1), BrickRangeKernel{v.data(), low.data(), high.data(), nx, ny, nz}, bx, by, bz);
  const TransferFunction f = transfer_function({{10, 0, 1, 1, 1}, {40, 0.5, 1, 1, 1}}, 1);
  launch(launcher_with(1),
         BrickContentKernel{low.data(), high.data(), nullptr, nullptr, content.data(), nx, ny, nz, false, f, 0}, bx, by,
         bz);
  launch(launcher_with(1), BrickDistanceKernel{content.data(), distance.data(), bx, by, bz, 0}, bx, by, bz);
  launch(launcher_with(1), BrickDistanceKernel{distance.data(), content.data(), bx, by, bz, 1}, bx, by, bz);
  launch(launcher_with(1), BrickDistanceKernel{content.data(), distance.data(), bx, by, bz, 2}, bx, by, bz);
  for (int k = 0; k < bz; ++k)
    for (int j = 0; j < by; ++j)
      for (int i = 0; i < bx; ++i) {
        const int dx = i < 2 ? 2 - i : i > 3 ? i - 3 : 0;
        const int expected = std::max({dx, std::abs(j - 2), std::abs(k - 1)});
        EXPECT_EQ(distance[static_cast<std::size_t>((k * by + j) * bx + i)], static_cast<float>(expected))
            << i << " " << j << " " << k;
      }
}

TEST(Frames, HaveTheSameBitsFromPacksAndFromSingleRays) {
  const int nx = 40, ny = 31, nz = 22;
  const auto voxels = isocenter::testing::blobs(nx, ny, nz);
  GridShape shape;
  shape.nx = nx;
  shape.ny = ny;
  shape.nz = nz;
  View view{45, 31, 1, CameraKind::perspective, 0.5, 1.2, 0.7, 6.28, 0.4, {0, 0, 1}};
  const Shot shot = orbit(view, shape)[0];
  VolumeRenderKernel k{};
  k.volume = {voxels.data(), nx, ny, nz};
  const auto table = transfer_entries(transfer_function({{8, 0, 0.9, 0.5, 0.3}, {50, 0.6, 1, 1, 0.8}}, 1), k.transfer);
  k.transfer.table = table.data();
  k.camera = shot.camera;
  k.shading = {0.2F, 0.7F, 0.3F, 20, 1, {shot.light[0], shot.light[1], shot.light[2]}};
  for (float& s : k.inverse_spacing) s = 1;
  k.step = 0.8F;
  k.stop = 0.001F;
  k.boundary_gain = 0.05F;
  k.width = 45;
  k.height = 31;
  std::vector<std::uint8_t> packs(45 * 31 * 3), singles = packs;
  k.pixels = packs.data();
  launch_frame(launcher_with(1), k);
  k.pixels = singles.data();
  for (int y = 0; y < 31; ++y)
    for (int x = 0; x < 45; ++x) k(Scalar{}, x, y, 0);
  EXPECT_EQ(packs, singles);
}

TEST(TimeFrames, FollowTheCycles) {
  EXPECT_EQ(time_frame(0, 10, 1, 5), 0);
  EXPECT_EQ(time_frame(9, 10, 1, 5), 4);
  EXPECT_EQ(time_frame(5, 10, 2, 5), 0);
  EXPECT_EQ(time_frame(7, 10, 0, 5), 0);
  EXPECT_EQ(time_frame(3, 9, 3, 3), 0);
  EXPECT_EQ(time_frame(50, 90, 4, 8), 1);
}

}  // namespace
}  // namespace isocenter::detail
