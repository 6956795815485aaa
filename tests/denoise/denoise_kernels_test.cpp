// Insides: each instruction set of the tuned filter against the functor, and the noise estimate against the standard
// library's median.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/launch.hpp"
#include "denoise/denoise_test_data.hpp"
#include "denoise/noise_estimate.hpp"
#include "denoise/non_local_means_tuned.hpp"

namespace isocenter::detail {
namespace {

using isocenter::testing::largest_difference;
using isocenter::testing::noise;

/// One thread, in reverse order and in single steps: what may not matter does not.
Launcher serial() {
  Launcher launcher;
  launcher.parallel_for = [](void*, std::int64_t n, std::int64_t, void (*body)(void*, std::int64_t, std::int64_t),
                             void* data) {
    for (std::int64_t i = n; i > 0; --i) body(data, i - 1, i);
  };
  return launcher;
}

struct NamedTile {
  const char* name;
  NonLocalMeansTileFunction function;
};
std::vector<NamedTile> tiles() {
  std::vector<NamedTile> all = {{"base", &non_local_means_tile_base}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back({"avx2", &non_local_means_tile_avx2});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
    all.push_back({"avx512", &non_local_means_tile_avx512});
#endif
  return all;
}

TEST(NonLocalMeansTiles, AgreeWithTheReferenceOverRandomShapesAndRadii) {
  std::mt19937 random(2024);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int i = 0; i < 40; ++i) {
    const int nx = i == 0 ? 530 : draw(1, 70), ny = i == 0 ? 3 : draw(1, 40), nz = i == 0 ? 2 : draw(1, 24);
    const auto in = noise(static_cast<std::int64_t>(nx) * ny * nz, 1.0F, static_cast<unsigned>(i));
    std::vector<float> reference(in.size()), out(in.size());
    NonLocalMeansKernel k{in.data(),  reference.data(), nx,         ny,         nz,   draw(0, 4), draw(0, 3),
                          draw(0, 3), draw(0, 3),       draw(0, 2), draw(0, 2), 0.8F, 1.0F,       nullptr};
    if (i == 1) k.search_x = 15;
    if (i == 2) k.patch_x = k.patch_y = k.patch_z = 1;
    launch(serial(), k, nx, ny, nz);
    k.out = out.data();
    const auto layout = non_local_means_layout(k, i % 2 == 0 ? 1U << 20 : 0U);
    for (const NamedTile& tile : tiles()) {
      std::vector<float> memory(layout.scratch_bytes / sizeof(float) + 16, std::nanf(""));
      auto* scratch = reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
      for (int c = 0; c < layout.chunks; ++c) non_local_means_chunk(serial(), k, layout, 0, c, scratch, tile.function);
      EXPECT_LT(largest_difference(out, reference), 3e-5)
          << tile.name << " " << nx << " " << ny << " " << nz << " search " << k.search_x << " " << k.search_y << " "
          << k.search_z << " patch " << k.patch_x << " " << k.patch_y << " " << k.patch_z;
    }
  }
}

float estimate(const std::vector<float>& u, int nx, int ny, int nz, std::vector<float>* residuals = nullptr) {
  std::vector<float> e(u.size());
  launch(serial(), ResidualKernel{u.data(), e.data(), nx, ny, nz, nx >= 3, ny >= 3, nz >= 3}, nx, ny, nz);
  std::vector<std::uint32_t> state(NoiseMedian::state_words, 77U);
  float sigma = -1;
  noise_median(serial(), {e.data(), static_cast<std::int64_t>(e.size()), state.data() + NoiseMedian::state_words - 4,
                          state.data(), &sigma, 0});
  if (residuals != nullptr) *residuals = e;
  return sigma;
}

TEST(NoiseEstimate, IsTheStandardDeviationOfWhiteNoise) {
  EXPECT_NEAR(estimate(noise(70 * 60 * 50, 12.5F, 1), 70, 60, 50), 12.5, 0.1);
  EXPECT_NEAR(estimate(noise(400 * 400, 0.01F, 2), 400, 400, 1), 0.01, 1e-4);
}

TEST(NoiseEstimate, IsNotDeceivedByARampAnEdgeOrPadding) {
  const int n = 60;
  auto u = noise(n * n * n, 10.0F, 3);
  for (int i = 0; i < n * n * n; ++i) {
    const int x = i % n, y = i / n % n;
    auto& v = u[static_cast<std::size_t>(i)];
    v += 30.0F * static_cast<float>(x) + (y > 33 ? 1000.0F : 0.0F);
    if (x < 20) v = -2000.0F;
  }
  EXPECT_NEAR(estimate(u, n, n, n), 10.0, 1.2);  // edges are 8 % of the voxels: the median moves up by 11 %
}

TEST(NoiseEstimate, IsZeroWithoutNoise) {
  EXPECT_EQ(estimate(std::vector<float>(5 * 6 * 7, 3.0F), 5, 6, 7), 0.0F);
  EXPECT_EQ(estimate(isocenter::testing::balls(40), 40, 40, 40), 0.0F);
}

TEST(NoiseEstimate, TakesTheExactMedian) {
  std::vector<float> residuals;
  const float sigma = estimate(noise(31 * 17 * 9, 100.0F, 5), 31, 17, 9, &residuals);
  std::erase_if(residuals, [](float e) { return e < 0; });
  EXPECT_EQ(residuals.size(), 29U * 15U * 7U);
  std::nth_element(residuals.begin(), residuals.begin() + static_cast<std::ptrdiff_t>(residuals.size() / 2),
                   residuals.end());
  EXPECT_EQ(sigma, 1.4826F * residuals[residuals.size() / 2]);
}

}  // namespace
}  // namespace isocenter::detail
