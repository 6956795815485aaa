// The reference against Feldkamp's formula ray by ray in double; the tuned variants against the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <isocenter/recon/vector3.hpp>

#include "phantom/poisson.hpp"
#include "recon/fdk_tile_variant.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

/// Random filtered views of an orbit, and a volume to project them into.
struct Job {
  std::vector<View> views;
  Orbit orbit;
  VoxelGrid grid;
  std::vector<float> memory;
  FdkStack stack{};
  std::vector<FdkMatrix> matrices;

  Job(const CircularOrbit& o, const VoxelGrid& g, bool rows_downwards = false, const Vector3& shift_mm = {})
      : views(o.build()), grid(g) {
    for (View& v : views) {
      v.source_mm = plus(v.source_mm, shift_mm);
      v.detector_origin_mm = plus(v.detector_origin_mm, shift_mm);
    }
    if (rows_downwards)
      for (View& v : views) {
        for (std::size_t k = 0; k < 3; ++k) {
          v.detector_origin_mm[k] += (o.rows - 1) * v.v_step_mm[k];
          v.v_step_mm[k] = -v.v_step_mm[k];
        }
      }
    orbit = find_circular_orbit(views, Beam::cone);
    stack = FdkStack::describe(nullptr, o.columns, o.rows);
    memory.assign(views.size() * static_cast<std::size_t>(stack.view_stride) + 16, 0.0F);
    stack.data = memory.data();
    Philox random(static_cast<std::uint64_t>(o.columns * 1000 + o.rows), 0);
    for (std::size_t n = 0; n < views.size(); ++n) {
      matrices.push_back(projection_matrix(views[n], orbit, grid, static_cast<std::int64_t>(n)));
      for (int i = 0; i < o.columns; ++i)
        for (int j = 0; j < o.rows; ++j)
          stack.column(static_cast<std::int64_t>(n), i)[j] = static_cast<float>(random.uniform(-1, 1));
    }
  }

  std::size_t voxels() const { return static_cast<std::size_t>(grid.nx * grid.ny * grid.nz); }
  FdkBackProject kernel(std::vector<float>& volume, bool goes_on = false) const {
    return {stack,
            matrices.data(),
            static_cast<int>(views.size()),
            volume.data(),
            static_cast<int>(grid.nx),
            static_cast<int>(grid.ny),
            static_cast<int>(grid.nz),
            0.25F,
            goes_on};
  }
  std::vector<float> reference() const {
    std::vector<float> volume(voxels(), -1e30F);
    launch(launcher_with(2), kernel(volume), static_cast<int>(grid.nx), static_cast<int>(grid.ny),
           static_cast<int>(grid.nz));
    return volume;
  }
};

VoxelGrid grid_of(std::int64_t nx, std::int64_t ny, std::int64_t nz, const Vector3& spacing,
                  const Vector3& centre = {}) {
  VoxelGrid g{nx, ny, nz, {}, spacing};
  const std::int64_t n[3] = {nx, ny, nz};
  for (std::size_t k = 0; k < 3; ++k) g.origin_mm[k] = centre[k] - 0.5 * static_cast<double>(n[k] - 1) * spacing[k];
  return g;
}

/// Feldkamp's sum for one voxel, by intersecting its ray with each detector.
double by_hand(const Job& job, const Vector3& voxel) {
  double sum = 0.25;
  for (std::size_t n = 0; n < job.views.size(); ++n) {
    const View& v = job.views[n];
    const Vector3 ray = minus(voxel, v.source_mm);
    const Vector3 normal = unit(cross(v.u_step_mm, v.v_step_mm));
    const double t = dot(minus(v.detector_origin_mm, v.source_mm), normal) / dot(ray, normal);
    const Vector3 hit = minus(plus(v.source_mm, times(t, ray)), v.detector_origin_mm);
    const double u = dot(hit, v.u_step_mm) / dot(v.u_step_mm, v.u_step_mm);
    const double w = dot(hit, v.v_step_mm) / dot(v.v_step_mm, v.v_step_mm);
    const double weight = dot(minus(job.orbit.centre_mm, v.source_mm), normal) / dot(ray, normal);
    const int iu = static_cast<int>(std::floor(u)), iv = static_cast<int>(std::floor(w));
    const auto sample = [&](int i, int j) {
      const bool on = i >= 0 && i < job.stack.columns && j >= 0 && j < job.stack.rows;
      return on ? static_cast<double>(job.stack.column(static_cast<std::int64_t>(n), i)[j]) : 0.0;
    };
    const double fu = u - iu, fv = w - iv;
    sum += weight * weight *
           ((1 - fu) * ((1 - fv) * sample(iu, iv) + fv * sample(iu, iv + 1)) +
            fu * ((1 - fv) * sample(iu + 1, iv) + fv * sample(iu + 1, iv + 1)));
  }
  return sum;
}

TEST(FdkReference, IsFeldkampsSumForEveryVoxel) {
  CircularOrbit o{.views = 9, .columns = 23, .rows = 19, .column_step_mm = 5, .row_step_mm = 4};
  o.detector_offset_u_mm = 7;
  o.detector_offset_v_mm = -3;
  o.first_angle_rad = 0.3;
  for (const Vector3& shift : {Vector3{}, Vector3{90, -60, 20}}) {
    const Vector3 centre = plus(shift, {4, -6, 3});
    const Job job(o, grid_of(13, 11, 9, {8, 7, 9}, centre), false, shift);  // reaches over the detector on all sides
    const std::vector<float> volume = job.reference();
    std::size_t i = 0;
    for (int z = 0; z < 9; ++z)
      for (int y = 0; y < 11; ++y)
        for (int x = 0; x < 13; ++x, ++i) {
          const Vector3& origin = job.grid.origin_mm;
          ASSERT_NEAR(volume[i], by_hand(job, {origin[0] + 8 * x, origin[1] + 7 * y, origin[2] + 9 * z}), 3e-4)
              << x << ' ' << y << ' ' << z << " of an orbit around x = " << shift[0];
        }
  }
}

struct Shape {
  const char* what;
  int columns, rows, views;
  double column_step_mm, row_step_mm, offset_u_mm, offset_v_mm;
  std::int64_t nx, ny, nz;
  Vector3 spacing, centre;
  bool rows_downwards;
};
std::ostream& operator<<(std::ostream& os, const Shape& s) { return os << s.what; }

class FdkVariants : public ::testing::TestWithParam<Shape> {
 protected:
  Job job() const {
    const Shape& s = GetParam();
    CircularOrbit o{.views = s.views,
                    .columns = s.columns,
                    .rows = s.rows,
                    .column_step_mm = s.column_step_mm,
                    .row_step_mm = s.row_step_mm};
    o.detector_offset_u_mm = s.offset_u_mm;
    o.detector_offset_v_mm = s.offset_v_mm;
    return Job(o, grid_of(s.nx, s.ny, s.nz, s.spacing, s.centre), s.rows_downwards);
  }
};
INSTANTIATE_TEST_SUITE_P(
    Shapes, FdkVariants,
    ::testing::Values(
        Shape{"one voxel", 5, 5, 3, 4, 4, 0, 0, 1, 1, 1, {2, 2, 2}, {}, false},
        Shape{"a voxel for a detector row", 64, 48, 13, 3, 3, 0, 0, 40, 37, 41, {2, 2, 2}, {}, false},
        Shape{"more views than a block, odd everything",
              61,
              53,
              37,
              4,
              3.5,
              3,
              -5,
              33,
              29,
              31,
              {3, 3, 2.5},
              {5, -7, 4},
              false},
        Shape{"coarse rows", 30, 7, 20, 8, 40, 0, 0, 17, 18, 67, {5, 5, 2}, {}, false},
        Shape{"rows just coarse enough for two registers", 40, 90, 12, 6, 2.8, 0, 0, 19, 21, 51, {3, 3, 3}, {}, false},
        Shape{"rows just too fine for two registers", 40, 90, 12, 6, 2.1, 0, 0, 19, 21, 51, {3, 3, 3}, {}, false},
        Shape{"rows finer than voxels", 40, 200, 12, 6, 1, 0, 0, 19, 21, 27, {4, 4, 5}, {}, false},
        Shape{"rows much finer than voxels", 24, 500, 8, 9, 0.3, 0, 0, 9, 9, 21, {9, 9, 6}, {}, false},
        Shape{"rows downwards", 50, 60, 15, 4, 4, 0, 2, 35, 34, 50, {3, 3, 2.8}, {}, true},
        Shape{"rows downwards and fine", 30, 160, 8, 6, 1, 0, 2, 9, 9, 40, {4, 4, 4}, {}, true},
        Shape{"volume higher than the detector", 33, 20, 11, 5, 5, 0, 0, 20, 20, 90, {4, 4, 4}, {}, false},
        Shape{"volume wider than the detector", 12, 20, 11, 5, 5, 2, 0, 60, 60, 20, {4, 4, 4}, {}, false},
        Shape{"volume far above the detector", 33, 20, 11, 5, 5, 0, 0, 20, 20, 30, {4, 4, 4}, {0, 0, 400}, false},
        Shape{"more voxels than a block along z", 20, 330, 5, 8, 2, 0, 0, 5, 3, 531, {8, 8, 1.1}, {}, false}),
    [](const auto& info) {
      std::string name;
      for (const char c : std::string(info.param.what)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

TEST_P(FdkVariants, EqualTheReference) {
  const Job job = this->job();
  const std::vector<float> expected = job.reference();
  ASSERT_TRUE(
      fdk_is_aligned(job.matrices.data(), static_cast<int>(job.matrices.size()), 2, static_cast<int>(job.grid.nz)));
  float largest = 0.0F;
  for (const float v : expected) largest = std::max(largest, std::fabs(v));
  int variants = 0;
  for (const FdkTileVariant* variant : {fdk_variant_avx2(), fdk_variant_avx512()}) {
    if (variant == nullptr) continue;
    ++variants;
    std::vector<float> volume(job.voxels(), -1e30F);
    const Scratch scratch(fdk_tile_scratch(*variant, 3));
    ASSERT_TRUE(fdk_back_project_tiles(launcher_with(3), *variant, job.kernel(volume), scratch.get()));
    for (std::size_t i = 0; i < volume.size(); ++i)
      ASSERT_NEAR(volume[i], expected[i], 1e-4 * largest) << i << " of " << variant->name;
    EXPECT_LT(relative_difference(volume, expected), 1e-5 + 1e-7 * job.stack.rows) << variant->name;

    std::vector<float> one_thread(job.voxels());
    fdk_back_project_tiles(launcher_with(1), *variant, job.kernel(one_thread), scratch.get());
    EXPECT_EQ(volume, one_thread) << variant->name;
    // Going on from what is there.
    fdk_back_project_tiles(launcher_with(2), *variant, job.kernel(one_thread, true), scratch.get());
    for (std::size_t i = 0; i < volume.size(); i += 7)
      ASSERT_NEAR(one_thread[i], 2 * volume[i] - 0.25F, 1e-5 * largest) << variant->name;
  }
#if defined(__x86_64__)
  EXPECT_GE(variants, 1) << "this processor has neither AVX2 nor AVX-512";
#endif
}

TEST(FdkAligned, IsNotClaimedForATiltedDetector) {
  CircularOrbit o{.views = 5, .columns = 10, .rows = 10, .column_step_mm = 10, .row_step_mm = 10};
  auto views = o.build();
  for (View& v : views) {  // columns and rows turned within the detector's plane
    const Vector3 u = v.u_step_mm, w = v.v_step_mm;
    v.u_step_mm = plus(times(std::cos(0.01), u), times(std::sin(0.01), w));
    v.v_step_mm = minus(times(std::cos(0.01), w), times(std::sin(0.01), u));
  }
  const Orbit orbit = find_circular_orbit(views, Beam::cone);
  const FdkMatrix m = projection_matrix(views[2], orbit, grid_of(16, 16, 16, {5, 5, 5}), 2);
  EXPECT_FALSE(fdk_is_aligned(&m, 1, 2, 16));
}

TEST(FdkAligned, DeclinesVoxelsMuchHigherThanDetectorRows) {
  const Job job({.views = 3, .columns = 5, .rows = 400, .column_step_mm = 20, .row_step_mm = 0.1},
                grid_of(3, 3, 3, {9, 9, 9}));
  std::vector<float> volume(27);
  const Scratch scratch(fdk_aligned_scratch(1));
  EXPECT_FALSE(fdk_back_project_aligned(launcher_with(1), job.kernel(volume), scratch.get()));
}

TEST(FdkAligned, StopsBetweenTilesWhenAsked) {
  const Job job({.views = 3, .columns = 40, .rows = 40, .column_step_mm = 6, .row_step_mm = 6},
                grid_of(64, 64, 20, {3, 3, 3}));
  std::vector<float> volume(job.voxels(), -7e30F);
  const Scratch scratch(fdk_aligned_scratch(1));
  int asked = 0;
  const FdkStop third{[](void* user) { return ++*static_cast<int*>(user) == 3; }, &asked};
  ASSERT_TRUE(fdk_back_project_aligned(launcher_with(1), job.kernel(volume), scratch.get(), third));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(std::count(volume.begin(), volume.end(), -7e30F),
            static_cast<std::ptrdiff_t>(64 * 64 * 20 - 2 * 16 * 8 * 20));
}

}  // namespace
}  // namespace isocenter::testing
