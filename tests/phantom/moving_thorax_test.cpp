// The chest: its motion is what its description says, its parts are where they belong, for many patients.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "phantom/chosen_phantom.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int label_at(const Solids& s, const Vector3& p) {
  std::int32_t label = 0;
  value_at(s.view(), p.data(), &label);
  return label;
}

/// The highest z of the liver above (x, y).
double liver_top(const Solids& s, double x, double y) {
  for (double z = 50; z > -200; z -= 0.1)
    if (label_at(s, {x, y, z}) == label_liver) return z;
  return -1e9;
}

TEST(MovingThorax, BreathesAsStated) {
  EXPECT_EQ(breathing(0.0, 4.0), 0.0);
  EXPECT_NEAR(breathing(2.0, 4.0), 1.0, 1e-12);
  EXPECT_NEAR(breathing(1.0, 4.0), 0.25, 1e-12);
  EXPECT_NEAR(breathing(5.3, 4.0), breathing(1.3, 4.0), 1e-12);

  const ThoraxParams params{.breathing_period_s = 4, .diaphragm_mm = 18, .lesion_motion_mm = 14};
  Solids exhaled, inhaled, half;
  moving_thorax(params, 0, &exhaled);
  moving_thorax(params, 2, &inhaled);
  moving_thorax(params, 1, &half);
  EXPECT_NEAR(liver_top(exhaled, -61, 4) - liver_top(inhaled, -61, 4), 18, 0.25);
  EXPECT_NEAR(liver_top(exhaled, -61, 4) - liver_top(half, -61, 4), 18 * 0.25, 0.25);
  EXPECT_NEAR(thorax_lesion_mm(params, 0)[2] - thorax_lesion_mm(params, 2)[2], 14, 1e-9);
}

TEST(MovingThorax, TheLesionIsWhereItsTruthSays) {
  for (const std::uint64_t seed : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
    for (const double t : {0.0, 1.1, 2.0, 3.3}) {
      const ThoraxParams params{.seed = seed};
      Solids chest;
      moving_thorax(params, t, &chest);
      const Vector3 at = thorax_lesion_mm(params, t);
      EXPECT_EQ(label_at(chest, at), label_lesion) << seed << ' ' << t;
      int lung = 0;
      for (int k = 0; k < 3; ++k)
        for (const double side : {-1.0, 1.0}) {
          Vector3 beside = at;
          beside[static_cast<std::size_t>(k)] += side * 26;
          lung += label_at(chest, beside) == label_lung;
        }
      EXPECT_GE(lung, 2) << "around the lesion of seed " << seed << " at " << t;
    }
}

TEST(MovingThorax, TheHeartBeatsOnlyWhenAsked) {
  const auto heart_voxels = [](const ThoraxParams& params, double t) {
    Solids chest;
    moving_thorax(params, t, &chest);
    const Grid grid{60, 60, 60, Geometry::centred(60, 60, 60, {4, 4, 4})};
    std::vector<std::uint8_t> labels(60 * 60 * 60);
    rasterise(launcher_with(2), chest, grid, 1, 1, 0, nullptr, labels.data());
    return std::count(labels.begin(), labels.end(), label_heart);
  };
  const ThoraxParams still{.diaphragm_mm = 0}, beating{.diaphragm_mm = 0, .heart_period_s = 1};
  EXPECT_EQ(heart_voxels(still, 0), heart_voxels(still, 0.5));
  EXPECT_LT(heart_voxels(beating, 0.5), 0.92 * static_cast<double>(heart_voxels(beating, 0)));
  EXPECT_EQ(heart_voxels(beating, 0), heart_voxels(beating, 1));
}

/// How far from the axis the patient reaches in a 76 × 60 × 60 grid of 5 mm voxels, mm.
double reach_in_plane(const std::vector<std::uint8_t>& labels) {
  double reach = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] != 0)
      reach = std::max(reach,
                       5.0 * std::hypot(static_cast<double>(i % 76) - 37.5, static_cast<double>(i / 76 % 60) - 29.5));
  return reach;
}

TEST(MovingThorax, EveryPatientHasEveryTissueAndFitsIntoTheFieldOfView) {
  std::set<std::vector<std::uint8_t>> different;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    Solids chest;
    moving_thorax({.seed = seed}, 0.7, &chest);
    ASSERT_LE(chest.list.size(), static_cast<std::size_t>(max_primitives));
    const Grid grid{76, 60, 60, Geometry::centred(76, 60, 60, {5, 5, 5})};
    std::vector<std::uint8_t> labels(76 * 60 * 60);
    std::vector<float> hu(labels.size());
    rasterise(launcher_with(2), chest, grid, 1, 1000, -1000, hu.data(), labels.data());
    for (std::size_t label = 0; label < label_names.size(); ++label)
      EXPECT_GT(std::count(labels.begin(), labels.end(), static_cast<std::uint8_t>(label)), 3)
          << label_names[label] << " of seed " << seed;
    EXPECT_LT(reach_in_plane(labels), 185) << seed;
    // A chest of plausible proportions: lungs 2 to 6 litres.
    const double lung_litres = static_cast<double>(std::count(labels.begin(), labels.end(), label_lung)) * 125 * 1e-6;
    EXPECT_GT(lung_litres, 2.0) << seed;
    EXPECT_LT(lung_litres, 6.5) << seed;
    different.insert(labels);
  }
  EXPECT_EQ(different.size(), 24U);
}

TEST(MovingThorax, ItsListIsAllocatedOnce) {
  Solids chest = reserved_solids();
  moving_thorax({.seed = 4}, 0.0, &chest);
  const auto* first = chest.list.data();
  for (int k = 1; k < 20; ++k) moving_thorax({.seed = 4}, 0.21 * k, &chest);
  EXPECT_EQ(chest.list.data(), first);
}

}  // namespace
}  // namespace isocenter::testing
