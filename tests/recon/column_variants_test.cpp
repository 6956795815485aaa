// The tuned back projections of a helix and along a displacement field against their references.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "column_jobs.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

template <class Shape>
std::string name_of(const ::testing::TestParamInfo<Shape>& info) {
  std::string name;
  for (const char c : std::string(info.param.what)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

float largest_of(const std::vector<float>& values) {
  float largest = 0.0F;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

class HelicalVariants : public ::testing::TestWithParam<HelicalShape> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, HelicalVariants,
    ::testing::Values(HelicalShape{"one voxel", 1, 1, 1, 3, 3, 31, 16, 9, 4, 0.9},
                      HelicalShape{"odd everything", 37, 35, 43, 3, 3, 61, 19, 11, 4, 0.9},
                      HelicalShape{"flat", 33, 18, 29, 4, 3, 61, 16, 7, 4, 1.1, true},
                      HelicalShape{"table and rows downwards", 33, 18, 29, 4, 3, 61, 16, 7, 4, 0.8, false, true},
                      HelicalShape{"low pitch, many rays", 17, 17, 40, 4, 2, 40, 32, 5, 4, 0.15},
                      HelicalShape{"fine rows out of one register too many", 19, 17, 31, 4, 4, 40, 48, 5, 2.5, 0.8},
                      HelicalShape{"rows much finer than slices", 9, 9, 21, 8, 10, 40, 128, 4, 1, 0.7},
                      HelicalShape{"more slices than a block", 5, 3, 531, 8, 1.1, 31, 16, 4, 4, 0.9},
                      HelicalShape{"rows of a flat panel", 11, 9, 301, 8, 1, 31, 330, 3, 2, 0.5}),
    name_of<HelicalShape>);

TEST_P(HelicalVariants, EqualTheReference) {
  const HelicalJob job(GetParam());
  std::vector<float> expected(job.voxels(), -1e30F);
  launch(launcher_with(2), job.kernel(expected), job.nx, job.ny, job.nz);
  const float largest = largest_of(expected);
  ASSERT_GT(largest, 0.3F);  // the rays meet the volume, which begins with 0.25
  for (const HelicalVariant* variant : {helical_variant_avx2(), helical_variant_avx512()}) {
    if (variant == nullptr) continue;
    std::vector<float> volume(job.voxels(), -1e30F), one_thread(job.voxels());
    const Scratch scratch(variant->tile.scratch_of(3));
    ASSERT_TRUE(helical_back_project_by(launcher_with(3), *variant, job.kernel(volume), scratch.get()));
    for (std::size_t i = 0; i < volume.size(); ++i)
      ASSERT_NEAR(volume[i], expected[i], 2e-4 * largest) << i << " of " << variant->name;
    EXPECT_LT(relative_difference(volume, expected), 3e-5) << variant->name;
    helical_back_project_by(launcher_with(1), *variant, job.kernel(one_thread), scratch.get());
    EXPECT_EQ(volume, one_thread) << variant->name;
    // Going on from what is there.
    helical_back_project_by(launcher_with(2), *variant, job.kernel(one_thread, true), scratch.get());
    for (std::size_t i = 0; i < volume.size(); i += 7)
      ASSERT_NEAR(one_thread[i], 2 * volume[i] - 0.25F, 1e-5 * largest) << variant->name;
  }
}

TEST(HelicalVariant, LeavesWhatTheHelixDoesNotReachAsItWas) {
  HelicalShape shape{"beyond", 9, 9, 37, 8, 3, 31, 16, 5, 4, 0.9};
  shape.first_turn = -400;
  const HelicalJob job(shape);
  for (const HelicalVariant* variant : {helical_variant_avx2(), helical_variant_avx512()}) {
    if (variant == nullptr) continue;
    std::vector<float> volume(job.voxels(), -1e30F);
    const Scratch scratch(variant->tile.scratch_of(1));
    ASSERT_TRUE(helical_back_project_by(launcher_with(1), *variant, job.kernel(volume), scratch.get()));
    EXPECT_EQ(std::count(volume.begin(), volume.end(), 0.25F), static_cast<std::ptrdiff_t>(volume.size()));
  }
}

TEST(HelicalVariant, DeclinesSlicesMuchThickerThanDetectorRows) {
  const HelicalJob job({"thick", 5, 5, 5, 8, 30, 31, 16, 3, 0.8, 0.9});
  for (const HelicalVariant* variant : {helical_variant_avx2(), helical_variant_avx512()}) {
    if (variant == nullptr) continue;
    std::vector<float> volume(job.voxels());
    const Scratch scratch(variant->tile.scratch_of(1));
    EXPECT_FALSE(helical_back_project_by(launcher_with(1), *variant, job.kernel(volume), scratch.get()));
  }
}

class MotionVariants : public ::testing::TestWithParam<MotionShape> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, MotionVariants,
    ::testing::Values(MotionShape{"one voxel, one node", 1, 1, 1, 3, 20, 20, 3, 4, 1, 8, 5},
                      MotionShape{"odd everything", 37, 35, 43, 3, 61, 53, 13, 4, 9, 14, 6},
                      MotionShape{"no motion", 33, 18, 29, 3, 50, 40, 7, 4, 5, 20, 0},
                      MotionShape{"field finer than voxels", 21, 19, 41, 4, 50, 40, 7, 4, 40, 2.5, 1},
                      MotionShape{"rough field", 21, 19, 41, 3, 50, 40, 7, 3, 6, 10, 40},
                      MotionShape{"fine detector", 17, 15, 40, 5, 150, 140, 5, 1.2, 7, 14, 6},
                      MotionShape{"columns along y", 19, 45, 17, 3, 50, 61, 9, 4, 6, 14, 6, 1},
                      MotionShape{"columns along x", 45, 17, 19, 3, 50, 61, 9, 4, 6, 14, 6, 0},
                      MotionShape{"beyond the detector and the field", 60, 58, 70, 4, 24, 20, 7, 4, 4, 10, 8},
                      MotionShape{"more voxels than a block along z", 5, 3, 531, 1.1, 20, 330, 4, 3, 12, 30, 7}),
    name_of<MotionShape>);

TEST_P(MotionVariants, EqualTheReference) {
  const MotionJob job(GetParam());
  const auto fields = [&] { launch(launcher_with(2), job.blend, job.grid.nodes(), job.views(), 1); };
  fields();
  std::vector<float> expected(job.voxels(), -1e30F);
  launch(launcher_with(2), job.kernel(expected), job.nx, job.ny, job.nz);
  const float largest = largest_of(expected);
  for (const MotionVariant* variant : {motion_variant_avx2(), motion_variant_avx512()}) {
    if (variant == nullptr) continue;
    std::vector<float> volume(job.voxels(), -1e30F), one_thread(job.voxels());
    const Scratch scratch(variant->tile.scratch_of(3));
    const auto run = [&](int threads, std::vector<float>& to, bool goes_on) {
      const MotionBackProject kernel = job.kernel(to, goes_on);
      const MotionColumns columns = motion_columns(launcher_with(threads), job.blend, kernel, job.blend.blended);
      return motion_back_project_by(launcher_with(threads), *variant, kernel, columns, scratch.get());
    };
    ASSERT_TRUE(run(3, volume, false));
    for (std::size_t i = 0; i < volume.size(); ++i)
      ASSERT_NEAR(volume[i], expected[i], 2e-4 * largest) << i << " of " << variant->name;
    EXPECT_LT(relative_difference(volume, expected), 1e-5 + 1e-7 * (job.stack.rows + job.stack.columns))
        << variant->name;
    run(1, one_thread, false);
    EXPECT_EQ(volume, one_thread) << variant->name;
    run(2, one_thread, true);
    for (std::size_t i = 0; i < volume.size(); i += 7)
      ASSERT_NEAR(one_thread[i], 2 * volume[i] - 0.25F, 1e-5 * largest) << variant->name;
  }
}

TEST(MotionVariant, DeclinesAFieldMuchFinerThanVoxels) {
  const MotionJob job({"fine", 5, 5, 5, 8, 20, 20, 3, 6, 20, 4, 2});
  EXPECT_FALSE(motion_field_is_coarse(job.grid, 2));
}

TEST(MotionVariant, StopsBetweenTilesWhenAsked) {
  const MotionJob job({"stop", 64, 64, 20, 3, 40, 40, 3, 6, 4, 60, 2});
  for (const MotionVariant* variant : {motion_variant_avx2(), motion_variant_avx512()}) {
    if (variant == nullptr) continue;
    std::vector<float> volume(job.voxels(), -7e30F);
    const Scratch scratch(variant->tile.scratch_of(1));
    const MotionBackProject kernel = job.kernel(volume);
    int asked = 0;
    const FdkStop third{[](void* user) { return ++*static_cast<int*>(user) == 3; }, &asked};
    const MotionColumns columns = motion_columns(launcher_with(1), job.blend, kernel, job.blend.blended);
    ASSERT_TRUE(motion_back_project_by(launcher_with(1), *variant, kernel, columns, scratch.get(), third));
    EXPECT_EQ(std::count(volume.begin(), volume.end(), -7e30F),
              static_cast<std::ptrdiff_t>(64 * 64 * 20 - 2 * 16 * 8 * 20));
  }
}

}  // namespace
}  // namespace isocenter::testing
