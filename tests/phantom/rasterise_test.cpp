// Voxels and labels against the phantom's own equation, and against volumes in closed form.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "phantom/poisson.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

Grid grid_of(std::int64_t nx, std::int64_t ny, std::int64_t nz, double spacing) {
  return {nx, ny, nz, Geometry::centred(nx, ny, nz, {spacing, 1.1 * spacing, 1.3 * spacing})};
}

TEST(Rasterise, GivesTheExactValueAndLabelAtEveryCentre) {
  Solids chest, head;
  moving_thorax({.seed = 5}, 0.9, &chest);
  shepp_logan(Contrast::modified, 130, &head);
  for (const Solids* phantom : {&chest, &head}) {
    const Grid grid = grid_of(43, 37, 29, 7.3);
    std::vector<float> voxels(43 * 37 * 29);
    std::vector<std::uint8_t> labels(voxels.size());
    rasterise(launcher_with(2), *phantom, grid, 1, 1000, -1000, voxels.data(), labels.data());
    std::size_t i = 0;
    for (int z = 0; z < 29; ++z)
      for (int y = 0; y < 37; ++y)
        for (int x = 0; x < 43; ++x, ++i) {
          const auto p = grid.geometry.position_mm(x, y, z);
          std::int32_t label = -1;
          const double value = value_at(phantom->view(), p.data(), &label);
          ASSERT_NEAR(voxels[i], 1000 * value - 1000, 1e-3) << x << ' ' << y << ' ' << z;
          ASSERT_EQ(labels[i], label) << x << ' ' << y << ' ' << z;
        }
  }
}

TEST(Rasterise, FollowsAGridThatIsTurned) {
  Solids chest;
  moving_thorax({}, 0, &chest);
  Grid grid = grid_of(31, 33, 17, 9);
  const double c = std::cos(0.4), s = std::sin(0.4);
  const double turned[9] = {c, -s, 0, s, c, 0, 0, 0, 1};
  std::copy_n(turned, 9, grid.geometry.direction);
  std::vector<float> voxels(31 * 33 * 17);
  rasterise(launcher_with(1), chest, grid, 1, 1, 0, voxels.data(), nullptr);
  for (const auto& [x, y, z] : {std::array{15, 16, 8}, std::array{3, 20, 2}, std::array{28, 5, 14}}) {
    const auto p = grid.geometry.position_mm(x, y, z);
    EXPECT_NEAR(voxels[static_cast<std::size_t>((z * 33 + y) * 31 + x)], value_at(chest.view(), p.data(), nullptr),
                1e-6);
  }
}

TEST(Rasterise, MeansKeepTheMassOfAnEllipsoid) {
  const Solids e{{make_solid(Solid::ellipsoid, {2.3, -1.7, 0.9}, {31, 22, 17}, turn_around(1, 0.5), 2.0, label_bone)},
                 Composition::additive};
  const Grid grid = grid_of(29, 27, 23, 2.9);
  std::vector<float> voxels(29 * 27 * 23);
  rasterise(launcher_with(2), e, grid, 8, 1, 0, voxels.data(), nullptr);
  const double voxel = 2.9 * 2.9 * 1.1 * 2.9 * 1.3;
  const double mass = std::accumulate(voxels.begin(), voxels.end(), 0.0) * voxel;
  const double truth = 2.0 * 4.0 / 3.0 * std::numbers::pi * 31 * 22 * 17;
  EXPECT_NEAR(mass / truth, 1.0, 5e-4);
}

TEST(Rasterise, MeansAreTheAverageOfManyPoints) {
  Solids chest;
  moving_thorax({}, 1.0, &chest);
  const Grid grid = grid_of(600, 1, 1, 0.7);  // longer than one chunk
  std::vector<float> voxels(600);
  rasterise(launcher_with(1), chest, grid, 4, 1, 0, voxels.data(), nullptr);
  for (int x = 0; x < 600; x += 37) {
    double sum = 0.0;
    const int n = 4, along = 400;
    for (int k = 0; k < n; ++k)
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < along; ++i) {
          const auto p =
              grid.geometry.position_mm(x + (i + 0.5) / along - 0.5, (j + 0.5) / n - 0.5, (k + 0.5) / n - 0.5);
          sum += value_at(chest.view(), p.data(), nullptr);
        }
    EXPECT_NEAR(voxels[static_cast<std::size_t>(x)], sum / (n * n * along), 5e-3) << x;
  }
}

TEST(Rasterise, IsTheSameForAnyNumberOfThreads) {
  Solids chest;
  moving_thorax({.seed = 2}, 1.0, &chest);
  const Grid grid = grid_of(21, 19, 33, 11);
  std::vector<float> a(21 * 19 * 33), b(a.size());
  rasterise(launcher_with(1), chest, grid, 3, 1, 0, a.data(), nullptr);
  rasterise(launcher_with(3), chest, grid, 3, 1, 0, b.data(), nullptr);
  EXPECT_EQ(a, b);
}

TEST(SheppLogan, HasTheValuesOfItsTable) {
  Solids original, modified;
  shepp_logan(Contrast::original, 100, &original);
  shepp_logan(Contrast::modified, 100, &modified);
  const auto at = [](const Solids& s, const Vector3& p) { return value_at(s.view(), p.data(), nullptr); };
  EXPECT_NEAR(at(original, {0, 91, 0}), 2.0, 1e-12) << "skull";
  EXPECT_NEAR(at(original, {0, -30, 50}), 1.02, 1e-12) << "brain";
  EXPECT_NEAR(at(original, {-22, 0, -25}), 1.0, 1e-12) << "left ventricle";
  EXPECT_NEAR(at(original, {0, 35, -25}), 1.04, 1e-12) << "the large bright ellipsoid";
  EXPECT_EQ(at(original, {0, 93, 0}), 0.0);
  EXPECT_NEAR(at(modified, {0, -30, 50}), 0.2, 1e-12);
  EXPECT_NEAR(at(modified, {-22, 0, -25}), 0.0, 1e-12);
  EXPECT_NEAR(at(modified, {0, 35, -25}), 0.3, 1e-12);
}

}  // namespace
}  // namespace isocenter::testing
