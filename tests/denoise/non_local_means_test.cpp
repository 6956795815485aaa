#include <gmock/gmock.h>

#include <cstdlib>
#include <isocenter/denoise/non_local_means.hpp>

#include "denoise/denoise_test_data.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Radii {
  int sx, sy, sz, px, py, pz;
};

/// The filter as the documentation writes it, in double precision, one voxel at a time.
std::vector<double> by_the_book(const std::vector<float>& u, int nx, int ny, int nz, const Radii& r, double strength,
                                double sigma) {
  std::vector<double> out(u.size());
  const auto clamped = [](int i, int n) { return std::min(std::max(i, 0), n - 1); };
  const auto at = [&](int x, int y, int z) {
    return static_cast<double>(
        u[static_cast<std::size_t>((clamped(z, nz) * ny + clamped(y, ny)) * nx + clamped(x, nx))]);
  };
  const double h2 = strength * strength * sigma * sigma;
  for (int z = 0; z < nz; ++z)
    for (int y = 0; y < ny; ++y)
      for (int x = 0; x < nx; ++x) {
        double sum = 0, weight = 0;
        for (int c = std::max(0, z - r.sz); c <= std::min(nz - 1, z + r.sz); ++c)
          for (int b = std::max(0, y - r.sy); b <= std::min(ny - 1, y + r.sy); ++b)
            for (int a = std::max(0, x - r.sx); a <= std::min(nx - 1, x + r.sx); ++a) {
              double d2 = 0, voxels = 0;
              for (int k = -r.pz; k <= r.pz; ++k)
                for (int j = -r.py; j <= r.py; ++j)
                  for (int i = -r.px; i <= r.px; ++i, ++voxels)
                    d2 += std::pow(at(x + i, y + j, z + k) - at(a + i, b + j, c + k), 2);
              const double w = std::exp(-std::max(d2 / voxels - 2 * sigma * sigma, 0.0) / h2);
              sum += w * at(a, b, c);
              weight += w;
            }
        out[static_cast<std::size_t>((z * ny + y) * nx + x)] = sum / weight;
      }
  return out;
}

std::vector<float> filtered(const std::vector<float>& u, int nx, int ny, int nz, const NonLocalMeans::Params& params,
                            const SessionOptions& options, const Geometry& g = {}) {
  return values_of(apply<NonLocalMeans>(context(), params, Volume::own(u, nx, ny, nz, g, "1"), options));
}

ISOCENTER_DEVICE_SUITE(NonLocalMeansTest);

TEST_P(NonLocalMeansTest, KeepsAConstantVolume) {
  for (const float v : filtered(std::vector<float>(19 * 5 * 3, -1000.0F), 19, 5, 3, {.sigma = 10.0F}, options()))
    EXPECT_NEAR(v, -1000.0F, 1e-3F);
}

TEST_P(NonLocalMeansTest, KeepsAVolumeWithoutNoise) {
  const auto u = balls(33);
  EXPECT_LT(largest_difference(filtered(u, 33, 33, 33, {.search_radius = 2}, options()), u), 1e-6);
}

TEST_P(NonLocalMeansTest, IsTheFormulaOfItsDocumentation) {
  struct Case {
    int nx, ny, nz, search, patch;
  };
  for (const Case& c : {Case{19, 7, 5, 2, 1}, Case{5, 18, 9, 3, 0}, Case{9, 4, 11, 2, 2}, Case{33, 3, 2, 4, 3},
                        Case{1, 1, 9, 2, 1}, Case{17, 16, 1, 3, 1}}) {
    auto u = noise(c.nx * c.ny * c.nz, 0.2F, 11);
    for (std::size_t i = 0; i < u.size(); i += 3) u[i] += 1.0F;
    const auto r = [&](int n, int radius) { return n == 1 ? 0 : radius; };
    const Radii radii{r(c.nx, c.search), r(c.ny, c.search), r(c.nz, c.search),
                      r(c.nx, c.patch),  r(c.ny, c.patch),  r(c.nz, c.patch)};
    const auto out =
        filtered(u, c.nx, c.ny, c.nz,
                 {.search_radius = c.search, .patch_radius = c.patch, .strength = 0.7F, .sigma = 0.2F}, options());
    EXPECT_LT(largest_difference(out, by_the_book(u, c.nx, c.ny, c.nz, radii, 0.7, 0.2)), 1e-5)
        << c.nx << " x " << c.ny << " x " << c.nz;
  }
}

TEST_P(NonLocalMeansTest, ReachesFewerVoxelsAcrossThickSlices) {
  const int nx = 14, ny = 9, nz = 7;
  const auto u = noise(nx * ny * nz, 1.0F, 2);
  const auto out =
      filtered(u, nx, ny, nz, {.search_radius = 4, .sigma = 1.0F}, options(), Geometry({0.7, 0.7, 1.9}, {0, 0, 0}));
  EXPECT_LT(largest_difference(out, by_the_book(u, nx, ny, nz, {4, 4, 1, 1, 1, 0}, 0.8, 1.0)), 1e-5);
}

TEST_P(NonLocalMeansTest, TakesTenDecibelOfNoiseOffAndLeavesAPlateOfTwoVoxels) {
  constexpr int n = 48;
  const auto truth = balls(n);
  auto noisy = noise(n * n * n, 0.05F, 1);
  for (std::size_t i = 0; i < noisy.size(); ++i) noisy[i] += truth[i];
  const auto out = filtered(noisy, n, n, n, {}, options());
  EXPECT_NEAR(psnr(noisy, truth), 26.0, 0.1);
  EXPECT_GT(psnr(out, truth), 36.0);
  const double c = 0.5 * (n - 1), plate_x = std::ceil(c - 0.5 * c - 1);  // the plate's mean over its middle
  double mean = 0, count = 0;
  for (int z = n / 2 - 4; z < n / 2 + 4; ++z)
    for (int y = n / 2 - 4; y < n / 2 + 4; ++y, ++count)
      mean += out[static_cast<std::size_t>((z * n + y) * n) + static_cast<std::size_t>(plate_x)];
  EXPECT_NEAR(mean / count, 0.75, 0.03);
}

TEST_P(NonLocalMeansTest, FiltersEachTimeFrameWithItsOwnNoise) {
  const int nx = 21, ny = 12, nz = 6, nt = 3, frame = nx * ny * nz;
  std::vector<float> u;
  for (int t = 0; t < nt; ++t)
    for (const float v : noise(frame, 0.1F * static_cast<float>(t + 1), 20U + static_cast<unsigned>(t))) u.push_back(v);
  Volume in = Volume::describe(nx, ny, nz, nt, Geometry(), "1");
  in.set_tensor("voxels", tensor(DType::float32, "tzyx", {nt, nz, ny, nx}, u.data()));
  const NonLocalMeans::Params params{.search_radius = 2};
  const auto all = values_of(apply<NonLocalMeans>(context(), params, in, options()));
  for (int t = 0; t < nt; ++t) {
    const std::vector<float> one(u.begin() + t * frame, u.begin() + (t + 1) * frame);
    EXPECT_EQ(std::vector<float>(all.begin() + t * frame, all.begin() + (t + 1) * frame),
              filtered(one, nx, ny, nz, params, options()));
  }
}

TEST_P(NonLocalMeansTest, KeepsANotANumberWithinReachOfIt) {
  const int n = 25;
  auto u = noise(n * n * n, 0.1F, 4);
  u[0] = std::nanf("");
  const auto out = filtered(u, n, n, n, {.search_radius = 2, .sigma = 0.1F}, options());
  for (int i = 0; i < n * n * n; ++i)
    if (i % n > 3 || i / n % n > 3 || i / n / n > 3) {
      EXPECT_TRUE(std::isfinite(out[static_cast<std::size_t>(i)])) << i;
    }
}

TEST(NonLocalMeansOnCpu, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int nx = 45, ny = 70, nz = 37;
  const auto u = noise(nx * ny * nz, 0.1F, 9);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.thread_count = threads;
    options.flags = ISOCENTER_CONTEXT_NO_MODULES;
    const Context own(options);
    results.push_back(
        values_of(apply<NonLocalMeans>(own, {.search_radius = 3}, Volume::own(u, nx, ny, nz, Geometry(), "1"))));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(NonLocalMeansOnCpu, IsWithinItsBoundOfTheReference) {
  const auto u = [] {
    auto v = noise(61 * 33 * 9, 30.0F, 6);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] += i % 61 > 30 ? 1000.0F : -1000.0F;
    return v;
  }();
  const Volume in = Volume::own(u, 61, 33, 9, Geometry(), "HU");
  const NonLocalMeans::Params params{.search_radius = 3, .patch_radius = 2, .sigma = 30.0F};
  const auto tuned = values_of(apply<NonLocalMeans>(context(), params, in));
  ::setenv("ISOCENTER_KERNELS", "reference", 1);
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  const Context plain(options);
  ::unsetenv("ISOCENTER_KERNELS");
  const auto reference = values_of(apply<NonLocalMeans>(plain, params, in));
  EXPECT_NE(tuned, reference) << "the reference was not used";
  EXPECT_LT(largest_difference(tuned, reference), 2e-4 * 125 / 27 * 1100);  // what the kernel's description allows
  EXPECT_LT(largest_difference(tuned, reference), 5e-3);                    // what it takes in fact
}

TEST(NonLocalMeansOnCpu, WorksInThinChunksWhenTheBudgetIsSmall) {
  const int nx = 64, ny = 64, nz = 70;
  const auto u = noise(nx * ny * nz, 0.1F, 8);
  const Volume in = Volume::own(u, nx, ny, nz, Geometry(), "1");
  const auto whole = values_of(apply<NonLocalMeans>(context(), {.search_radius = 3, .sigma = 0.1F}, in));
  const auto thin =
      values_of(apply<NonLocalMeans>(context(), {.search_radius = 3, .sigma = 0.1F}, in, {.memory_bytes = 8 << 20}));
  EXPECT_LT(largest_difference(whole, thin), 1e-6);
}

TEST(NonLocalMeansOnCpu, ReportsTheNoiseThatItFound) {
  const Volume in = Volume::own(noise(40 * 40 * 20, 25.0F, 12), 40, 40, 20, Geometry(), "HU");
  Pipeline pipeline(context());
  const auto node = pipeline.add<NonLocalMeans>("denoise", {.search_radius = 1});
  pipeline.connect(pipeline.add_input("in", in), node.input);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare();
  session.start();
  session.push("in", in);
  session.end_input("in");
  ASSERT_TRUE(session.pull("out").has_value());
  session.wait();
  const std::string report = session.report();
  const auto at = report.find("noise_sigma");
  ASSERT_NE(at, std::string::npos) << report;
  const auto digits = report.find_first_of("0123456789", report.find('[', at));
  EXPECT_NEAR(std::strtod(report.c_str() + digits, nullptr), 25.0, 0.5) << report.substr(at, 80);
}

TEST(NonLocalMeansErrors, SayThatThereIsTooLittleToEstimateNoiseFrom) {
  const Volume in = Volume::own(std::vector<float>(8), 2, 2, 2, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { apply<NonLocalMeans>(context(), {}, in); }),
              AllOf(HasSubstr("'non_local_means'"), HasSubstr("2 x 2 x 2"), HasSubstr("Fix: set sigma")));
}

TEST(NonLocalMeansErrors, NameAParameterOutOfItsRange) {
  const Volume in = Volume::own(std::vector<float>(27), 3, 3, 3, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { apply<NonLocalMeans>(context(), {.search_radius = 16}, in); }),
              AllOf(HasSubstr("search_radius"), HasSubstr("16"), HasSubstr("15")));
}

}  // namespace
}  // namespace isocenter::testing
