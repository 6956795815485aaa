// Normalisation over volumes of many blocks: held to the closed form of a permuted ramp, whatever its grouping.
#include "infer/moments.hpp"

#include <algorithm>

#include "core/launch.hpp"
#include "fixture.hpp"
#include "infer/threads.hpp"

namespace isocenter::infer::test {
namespace {

namespace kernels = isocenter::detail;

/// Channels-first data of which channel c holds offset(c) + slope(c) * u, u a permutation of 0 .. n-1 over n - 1. The
/// variance of 0 .. n-1 is (n^2 - 1) / 12.
struct Ramps {
  static constexpr std::int64_t depth = 3, height = 163, width = 101,
                                n = depth * height * width;  // 97 blocks, 233 left
  static constexpr int channels = 6;
  static double offset(std::int64_t c) { return 2.5 - static_cast<double>(c); }
  static double slope(std::int64_t c) { return 1 + 0.5 * static_cast<double>(c % 4); }
  static double value(std::int64_t item, std::int64_t c, std::int64_t i) {
    return offset(c + item) + slope(c + item) * static_cast<double>(i * 7919 % n) / static_cast<double>(n - 1);
  }
  /// Of the `count` channels from `first` on.
  static std::pair<double, double> mean_and_variance(std::int64_t item, std::int64_t first, std::int64_t count) {
    const auto m = static_cast<double>(n), own = (m * m - 1) / 12 / ((m - 1) * (m - 1));
    double mean = 0, squares = 0;
    for (std::int64_t c = first + item; c < first + item + count; ++c) {
      const double centre = offset(c) + slope(c) / 2;
      mean += centre / static_cast<double>(count);
      squares += (slope(c) * slope(c) * own + centre * centre) / static_cast<double>(count);
    }
    return {mean, squares - mean * mean};
  }
};

/// The factors and shifts of two items: all entries at once, or in runs.
std::vector<float> factors(int channels_per_group, std::int64_t run) {
  constexpr int channels = Ramps::channels, items = 2;
  constexpr std::int64_t pixels = Ramps::n;
  constexpr int blocks = static_cast<int>((pixels + kernels::moments_block - 1) / kernels::moments_block);
  const auto launcher = cpu_launcher(2);
  std::vector<float> in(static_cast<std::size_t>(items * pixels * channels)), scale(channels, 2.0F),
      shift(channels, 0.5F);
  for (std::int64_t z = 0, at = 0; z < items; ++z)
    for (std::int64_t i = 0; i < pixels; ++i)
      for (int c = 0; c < channels; ++c) in[static_cast<std::size_t>(at++)] = static_cast<float>(Ramps::value(z, c, i));
  std::vector<float> mean(items * blocks * channels), squares(mean.size()), run_mean(mean.size()),
      run_squares(mean.size()), result(2 * items * channels);
  kernels::launch(launcher,
                  kernels::PartialMomentsKernel{in.data(), mean.data(), squares.data(), pixels, channels, blocks},
                  channels, blocks, items);
  kernels::MergeMomentsKernel last{
      mean.data(), squares.data(), scale.data(), shift.data(),       result.data(), result.data() + items * channels,
      pixels,      channels,       blocks,       channels_per_group, 1e-5F};
  if (run > 0) {
    last.blocks = static_cast<int>((blocks + run - 1) / run);
    kernels::launch(launcher,
                    kernels::CombineMomentsKernel{mean.data(), squares.data(), run_mean.data(), run_squares.data(),
                                                  pixels, channels, blocks, channels_per_group, static_cast<int>(run)},
                    channels / channels_per_group, last.blocks, items);
    last.mean = run_mean.data();
    last.squares = run_squares.data();
    last.entry_pixels = run * kernels::moments_block;
    last.entry_channels = channels_per_group;
  }
  kernels::launch(launcher, last, channels, 1, items);
  return result;
}

TEST(Moments, MergedAtOnceAndInRunsGiveTheClosedFormForEveryGroup) {
  for (const int group : {1, 2, 3, 6})
    for (const std::int64_t run : {0, 1, 7, 32, 96, 97, 200}) {
      const std::vector<float> got = factors(group, run);
      for (int i = 0; i < 2 * Ramps::channels; ++i) {
        const int item = i / Ramps::channels, c = i % Ramps::channels;
        const auto [mean, variance] = Ramps::mean_and_variance(item, c / group * group, group);
        const double a = 2 / std::sqrt(variance + 1e-5);
        EXPECT_NEAR(static_cast<double>(got[static_cast<std::size_t>(i)]), a, 3e-7 * a) << group << ", run " << run;
        EXPECT_NEAR(static_cast<double>(got[static_cast<std::size_t>(i + 2 * Ramps::channels)]), 0.5 - a * mean, 2e-6)
            << group << ", run " << run;
      }
    }
}

TEST(Moments, RunsAreOfTheShapeAloneAndFewBlocksNeedNone) {
  EXPECT_EQ(kernels::moments_run(64, 1), 0);
  EXPECT_EQ(kernels::moments_run(8, 8), 0);
  EXPECT_EQ(kernels::moments_run(65, 1), 9);
  EXPECT_EQ(kernels::moments_run(4096, 1), 64);   // 128^3 by instance
  EXPECT_EQ(kernels::moments_run(4096, 16), 16);  // and by groups of 16: runs of 256 entries, 256 of them
  EXPECT_EQ(kernels::moments_run(2, 512), 1);
}

TEST(Moments, ANormalisationOfManyBlocksGivesTheClosedFormWithTheSameBitsForEveryNumberOfThreads) {
  const Shape shape{2, Ramps::channels, Ramps::depth, Ramps::height, Ramps::width};
  for (const std::int64_t groups : {6, 2, 1}) {
    Graph g;
    g.source = "test";
    const ValueId x = g.add_value({"x", ElementType::f32, shape, std::nullopt}),
                  scale = g.add_value({"s", ElementType::f32, {Ramps::channels}, std::nullopt}),
                  shift = g.add_value({"t", ElementType::f32, {Ramps::channels}, std::nullopt}),
                  y = g.add_value({"y", ElementType::f32, shape, std::nullopt});
    g.nodes.push_back({"it", "It", Normalisation{.groups = groups}, {x, scale, shift}, y});
    g.inputs = {x, scale, shift};
    g.outputs = {y};
    std::vector<float> in, expected;
    for (std::int64_t z = 0; z < 2; ++z)
      for (std::int64_t c = 0; c < Ramps::channels; ++c) {
        const std::int64_t own = Ramps::channels / groups;
        const auto [mean, variance] = Ramps::mean_and_variance(z, c / own * own, own);
        for (std::int64_t i = 0; i < Ramps::n; ++i) {
          in.push_back(static_cast<float>(Ramps::value(z, c, i)));
          expected.push_back(static_cast<float>((Ramps::value(z, c, i) - mean) / std::sqrt(variance + 1e-5) + 0.25));
        }
      }
    std::vector<float> first;
    for (const int threads : {1, 3}) {
      Runner runner(plan_cpu(g, {.threads = threads}));
      std::fill_n(runner.input(1), Ramps::channels, 1.0F);
      std::fill_n(runner.input(2), Ramps::channels, 0.25F);
      const std::vector<float> got = runner.run(in);
      EXPECT_LT(relative_error(got, expected), 5e-7) << groups << " groups";
      if (threads == 1) first = got;
      EXPECT_EQ(std::memcmp(first.data(), got.data(), got.size() * sizeof(float)), 0) << groups << " groups";
    }
  }
}

}  // namespace
}  // namespace isocenter::infer::test
