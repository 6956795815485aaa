// Intensity scaling, held to MONAI 1.5.2 on the same numbers and to sorting.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/volume/scale_intensity.hpp>
#include <numeric>

#include "test_launcher.hpp"
#include "volume/intensity.hpp"
#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

constexpr int nx = 19, ny = 7, nz = 5;

/// Eighths from -125 to 125, those below 20 as 0: 110 of them.
std::vector<float> sample() {
  std::vector<float> values;
  for (const std::uint32_t r : congruential(nx * ny * nz, 3)) {
    const float v = (static_cast<float>(r % 2001) - 1000.0F) / 8.0F;
    values.push_back(std::fabs(v) < 20 ? 0.0F : v);
  }
  return values;
}

std::vector<float> scaled(const ScaleIntensity::Params& params, std::vector<float> values,
                          const SessionOptions& options = {}) {
  const Volume volume = Volume::own(std::move(values), nx, ny, nz, Geometry(), "HU");
  const Volume result{apply<ScaleIntensity>(context(), params, volume, options)};
  EXPECT_EQ(result.unit(), "");
  return {result.values().begin(), result.values().end()};
}

ISOCENTER_DEVICE_SUITE(ScaleIntensityTest);

TEST_P(ScaleIntensityTest, GivesWhatMonaiGives) {
  const struct {
    ScaleIntensity::Params params;
    std::array<double, 5> at;  ///< voxels 0, 1, 100, 333, 664
    double sum;
  } cases[] = {
      {{.method = IntensityMethod::z_score, .nonzero = true},
       {-1.4332503080368042, -1.1913769245147705, 0.3840252459049225, -1.0059406757354736, 1.1289952993392944},
       0},
      {{.method = IntensityMethod::z_score},
       {-1.5776352882385254, -1.3129304647445679, 0.4111800789833069, -1.109990119934082, 1.2264708280563354},
       0},
      {{.method = IntensityMethod::percentiles, .lower_percentile = 3.3, .upper_percentile = 91.7, .from = -1, .to = 2},
       {-0.9719573855400085, -0.713324785232544, 0.9712352752685547, -0.5150398015975952, 1.7678239345550537},
       371.34158527851105},
      {{.method = IntensityMethod::percentiles,
        .lower_percentile = 3.3,
        .upper_percentile = 91.7,
        .from = -1,
        .to = 2,
        .clip = false},
       {-0.9719573855400085, -0.713324785232544, 0.9712352752685547, -0.5150398015975952, 1.7678239345550537},
       378.7092880010605},
      {{.low = -57, .high = 91}, {0, 0, 0.5599662065505981, 0, 0.9501689076423645}, 276.5971289309673},
  };
  for (const auto& c : cases) {
    const auto result = scaled(c.params, sample(), options());
    const std::size_t places[] = {0, 1, 100, 333, 664};
    for (std::size_t k = 0; k < 5; ++k) EXPECT_NEAR(result[places[k]], c.at[k], 1e-6) << k;
    EXPECT_NEAR(std::accumulate(result.begin(), result.end(), 0.0), c.sum, 1e-3);
  }
}

TEST_P(ScaleIntensityTest, LeavesZerosAndNaNWhereTheyAre) {
  auto values = sample();
  values[7] = NAN;
  const auto result = scaled({.method = IntensityMethod::z_score, .nonzero = true}, values, options());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0.0F) {
      EXPECT_EQ(result[i], 0.0F);
    }
    EXPECT_EQ(std::isnan(result[i]), i == 7);
  }
}

TEST_P(ScaleIntensityTest, TakesAConstantVolume) {
  for (const float v : scaled({.method = IntensityMethod::z_score}, std::vector<float>(nx * ny * nz, 3.5F), options()))
    EXPECT_EQ(v, 0.0F);
  for (const float v : scaled({.method = IntensityMethod::percentiles, .from = 4, .to = 5},
                              std::vector<float>(nx * ny * nz, 3.5F), options()))
    EXPECT_EQ(v, 4.0F);
}

TEST(ScaleIntensityMeasured, TakesTheScaleFromAnotherVolume) {
  Pipeline pipeline(context());
  const auto node = pipeline.add<ScaleIntensity>(
      "scale", {.method = IntensityMethod::percentiles, .lower_percentile = 25, .upper_percentile = 75});
  const Volume volume = Volume::own({0, 15, 20, 40}, 4, 1, 1, Geometry(), "HU");
  const Volume measured = Volume::own({30, 0, 10, 20, 40}, 1, 5, 1, Geometry(), "HU");  // quarters at 10 and 30
  pipeline.connect(pipeline.add_input("volume", volume), node.input);
  pipeline.connect(pipeline.add_input("measured", measured), node.measured);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare();
  session.start();
  session.push("volume", volume);
  session.push("measured", measured);
  session.end_input("volume");
  session.end_input("measured");
  const Volume out{*session.pull("out")};
  EXPECT_THAT(out.values(), ::testing::ElementsAre(0, 0.25F, 0.5F, 1));
}

TEST(ScaleIntensityMeasured, IsRefusedWhereNothingIsMeasured) {
  const Volume volume = Volume::own({0, 15, 20, 40}, 4, 1, 1, Geometry(), "HU");
  EXPECT_THAT(error_of([&] {
                Pipeline pipeline(context());
                const auto node = pipeline.add<ScaleIntensity>("scale");
                const auto input = pipeline.add_input("volume", volume);
                pipeline.connect(input, node.input);
                pipeline.connect(input, node.measured);
                pipeline.add_output("out", node.output);
                pipeline.prepare();
              }),
              HasSubstr("method = window measures nothing, and input 'measured' is connected"));
}

TEST(Percentiles, AreExactWhateverTheValuesAndTheThreads) {
  std::vector<float> values;
  for (const std::uint32_t r : congruential(nx * ny * nz, 5)) {
    float v;
    const std::uint32_t bits = (r << 8) ^ (r >> 3);
    std::memcpy(&v, &bits, sizeof v);
    values.push_back(std::isfinite(v) ? v : -0.0F);
  }
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> work(static_cast<std::size_t>(detail::IntensityScaling::selection_bytes()) / 8);
  std::vector<float> out(values.size());
  detail::ValueScale scale{};
  for (const int threads : {1, 5})
    for (const std::size_t rank : {std::size_t{0}, std::size_t{1}, std::size_t{300}, values.size() - 2}) {
      const double q = 100.0 * static_cast<double>(rank) / static_cast<double>(values.size() - 1);
      const detail::IntensityScaling how{detail::IntensityScaling::Kind::percentiles, {false}, {q, 100}, 0, 1, true};
      detail::scale_intensity(launcher_with(threads), how, values.data(), out.data(), nx, ny, nz, work.data(), &scale);
      EXPECT_NEAR(scale.low, sorted[rank], std::fabs(sorted[rank]) * 1e-6);
      EXPECT_EQ(scale.high, sorted.back());
    }
}

TEST(ScaleIntensityErrors, NameParameterValueAndFix) {
  EXPECT_THAT(error_of([] { scaled({.low = 5, .high = 5}, sample()); }),
              HasSubstr("low = 5 is not below high = 5. Fix: give the lower end first"));
  EXPECT_THAT(error_of([] {
                scaled({.method = IntensityMethod::percentiles, .lower_percentile = 99.5, .upper_percentile = 2},
                       sample());
              }),
              HasSubstr("lower_percentile = 99.5 is not below upper_percentile = 2"));
}

}  // namespace
}  // namespace isocenter::testing
