#include <gmock/gmock.h>

#include <isocenter/denoise/bilateral_denoise.hpp>

#include "denoise/denoise_test_data.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The filter as the paper writes it, in double precision, one voxel at a time.
std::vector<double> by_the_book(const std::vector<float>& u, int nx, int ny, int nz, const Geometry& g, double space,
                                double range) {
  std::vector<double> out(u.size());
  const auto clamped = [](int i, int n) { return std::min(std::max(i, 0), n - 1); };
  const auto at = [&](int x, int y, int z) {
    return static_cast<double>(
        u[static_cast<std::size_t>((clamped(z, nz) * ny + clamped(y, ny)) * nx + clamped(x, nx))]);
  };
  int r[3];
  for (int a = 0; a < 3; ++a) r[a] = static_cast<int>(std::ceil(2 * space / g.spacing_mm[a]));
  for (int z = 0; z < nz; ++z)
    for (int y = 0; y < ny; ++y)
      for (int x = 0; x < nx; ++x) {
        double sum = 0, weight = 0;
        for (int k = -r[2]; k <= r[2]; ++k)
          for (int j = -r[1]; j <= r[1]; ++j)
            for (int i = -r[0]; i <= r[0]; ++i) {
              const double v = at(x + i, y + j, z + k), d = v - at(x, y, z);
              const double s = std::hypot(i * g.spacing_mm[0], j * g.spacing_mm[1], k * g.spacing_mm[2]);
              const double w = std::exp(-s * s / (2 * space * space) - d * d / (2 * range * range));
              sum += w * v;
              weight += w;
            }
        out[static_cast<std::size_t>((z * ny + y) * nx + x)] = sum / weight;
      }
  return out;
}

ISOCENTER_DEVICE_SUITE(BilateralDenoiseTest);

TEST_P(BilateralDenoiseTest, KeepsAConstantVolume) {
  const Volume in = Volume::own(std::vector<float>(19 * 5 * 3, -1000.0F), 19, 5, 3, Geometry(), "HU");
  for (const float v : values_of(apply<BilateralDenoise>(context(), {}, in, options())))
    EXPECT_NEAR(v, -1000.0F, 1e-3F);
}

TEST_P(BilateralDenoiseTest, IsTheFormulaOfThePaperOnVoxelsThatAreNoCubes) {
  const int sizes[][3] = {{19, 7, 5}, {8, 3, 4}, {1, 9, 2}, {33, 1, 1}};
  for (const auto& n : sizes) {
    const auto u = noise(n[0] * n[1] * n[2], 50.0F, 7);
    const Geometry g({0.8, 1.1, 2.5}, {0, 0, 0});
    const auto out = values_of(apply<BilateralDenoise>(context(), {.sigma_space_mm = 1.3F, .sigma_range = 70.0F},
                                                       Volume::own(u, n[0], n[1], n[2], g, "HU"), options()));
    EXPECT_LT(largest_difference(out, by_the_book(u, n[0], n[1], n[2], g, 1.3, 70.0)), 2e-4)
        << n[0] << " x " << n[1] << " x " << n[2];
  }
}

TEST_P(BilateralDenoiseTest, LeavesAStepWhereItIsAndTakesTheNoiseOff) {
  constexpr int n = 24;
  auto u = noise(n * n * n, 20.0F, 3);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] += i % n < n / 2 ? -1000.0F : 40.0F;
  const auto out =
      values_of(apply<BilateralDenoise>(context(), {}, Volume::own(u, n, n, n, Geometry(), "HU"), options()));
  double left = 0, right = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const auto x = i % n;
    if (x == n / 2 - 1) left += std::pow(out[i] + 1000.0, 2);
    if (x == n / 2) right += std::pow(out[i] - 40.0, 2);
  }
  // Right beside the step: no smear of its 1040 HU, and less than half of the noise.
  EXPECT_LT(std::sqrt(left / (n * n)), 10.0);
  EXPECT_LT(std::sqrt(right / (n * n)), 10.0);
}

TEST_P(BilateralDenoiseTest, FiltersEachTimeFrameOnItsOwn) {
  const int nx = 13, ny = 6, nz = 4, nt = 3;
  auto u = noise(nx * ny * nz * nt, 30.0F, 5);
  Volume in = Volume::describe(nx, ny, nz, nt, Geometry(), "HU");
  in.set_tensor("voxels", tensor(DType::float32, "tzyx", {nt, nz, ny, nx}, u.data()));
  const auto all = values_of(apply<BilateralDenoise>(context(), {}, in, options()));
  for (int t = 0; t < nt; ++t) {
    const std::vector<float> frame(u.begin() + t * nx * ny * nz, u.begin() + (t + 1) * nx * ny * nz);
    const auto alone =
        values_of(apply<BilateralDenoise>(context(), {}, Volume::own(frame, nx, ny, nz, Geometry(), "HU"), options()));
    EXPECT_EQ(std::vector<float>(all.begin() + t * nx * ny * nz, all.begin() + (t + 1) * nx * ny * nz), alone);
  }
}

TEST(BilateralDenoiseErrors, SayWhereThereAreTooManyVoxelsInReach) {
  const Volume in = Volume::own(std::vector<float>(60), 5, 4, 3, Geometry({1, 0.25, 1}, {0, 0, 0}), "HU");
  EXPECT_THAT(error_of([&] { apply<BilateralDenoise>(context(), {.sigma_space_mm = 3.0F}, in); }),
              AllOf(HasSubstr("'bilateral_denoise'"), HasSubstr("sigma_space_mm = 3 reaches 24 voxels along y"),
                    HasSubstr("Fix: use a sigma_space_mm of at most 2")));
}

TEST(BilateralDenoiseErrors, NameAParameterOutOfItsRange) {
  const Volume in = Volume::own(std::vector<float>(8), 2, 2, 2, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { apply<BilateralDenoise>(context(), {.sigma_range = -1.0F}, in); }),
              AllOf(HasSubstr("sigma_range"), HasSubstr("-1"), HasSubstr("Fix: ")));
}

TEST(BilateralDenoiseErrors, NameTheTypeAndTheAxesThatAreNotTaken) {
  Volume in{Payload(ISOCENTER_VOLUME)};
  in.set_tensor("voxels", tensor(DType::int16, "zyx", {2, 2, 2}));
  EXPECT_THAT(error_of([&] { apply<BilateralDenoise>(context(), {}, in); }),
              HasSubstr("input 'input' holds int16, and float32 is needed"));
  in.set_tensor("voxels", tensor(DType::float32, "cyx", {2, 2, 2}));
  EXPECT_THAT(error_of([&] { apply<BilateralDenoise>(context(), {}, in); }), HasSubstr("has the axes 'cyx'"));
}

}  // namespace
}  // namespace isocenter::testing
