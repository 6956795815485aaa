// What a network is given of a volume and where its results go: numbers that follow from the volume and the metadata by
// closed forms, so that a mistake on the way in cannot be undone on the way out.
#include <gmock/gmock.h>

#include <algorithm>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/infer/segment_volume.hpp>

#include "device_test.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using namespace infer::test::tiny;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(NetworkDataTest);

std::size_t at(std::int64_t x, std::int64_t y, std::int64_t z, std::int64_t nx, std::int64_t ny) {
  return static_cast<std::size_t>((z * ny + y) * nx + x);
}

/// Scores are not brought back to the input's unit: they show the scale, and each channel shows its place.
TEST_P(NetworkDataTest, IntensitiesAreClippedAndScaledAndScoresKeepTheirOrder) {
  const ModelFile file(
      convolution({1, -2, 4}, 3, 1, {0.5F, 3, 0}, metadata("isocenter.intensity", "clip -1000 400 scale 0.25 2")));
  auto v = noise(11 * 9 * 8);
  for (float& x : v) x = x * 8 - 300;
  const auto got = values<float>(
      apply<NetworkInference>(context(), {.model = file, .window = {8, 6, 8}, .overlap = 0.5F, .intensity = ""},
                              volume(v, 11, 9, 8), options()),
      "voxels");
  ASSERT_EQ(got.size(), 3 * v.size());
  ASSERT_LT(*std::min_element(v.begin(), v.end()), -1100);
  ASSERT_GT(*std::max_element(v.begin(), v.end()), 500);
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double scaled = 0.25 + 1.75 * (std::clamp(static_cast<double>(v[i]), -1000.0, 400.0) + 1000) / 1400;
    ASSERT_NEAR(got[i], scaled + 0.5, 1e-5) << v[i];
    ASSERT_NEAR(got[v.size() + i], -2 * scaled + 3, 1e-5) << v[i];
    ASSERT_NEAR(got[2 * v.size() + i], 4 * scaled, 1e-5) << v[i];
  }
}

TEST_P(NetworkDataTest, BeyondTheVolumeStandsItsNearestVoxel) {
  const std::int64_t n[3] = {5, 4, 3}, w[3] = {9, 8, 6};
  const ModelFile file(convolution(std::vector<float>(27, 1), 1, 3, {0}));
  const auto v = noise(5 * 4 * 3);
  const auto got =
      values<float>(apply<NetworkInference>(context(), {.model = file, .window = {9, 8, 6}, .overlap = 0.5F},
                                            volume(v, 5, 4, 3), options()),
                    "voxels");
  for (std::int64_t z = 0; z < n[2]; ++z)
    for (std::int64_t y = 0; y < n[1]; ++y)
      for (std::int64_t x = 0; x < n[0]; ++x) {
        double sum = 0;  // zeros beyond the window (the network's own padding), the last voxel beyond the volume
        for (std::int64_t c = std::max<std::int64_t>(0, z - 1); c <= std::min(w[2] - 1, z + 1); ++c)
          for (std::int64_t b = std::max<std::int64_t>(0, y - 1); b <= std::min(w[1] - 1, y + 1); ++b)
            for (std::int64_t a = std::max<std::int64_t>(0, x - 1); a <= std::min(w[0] - 1, x + 1); ++a)
              sum += static_cast<double>(
                  v[at(std::min(a, n[0] - 1), std::min(b, n[1] - 1), std::min(c, n[2] - 1), n[0], n[1])]);
        ASSERT_NEAR(got[at(x, y, z, n[0], n[1])], sum, 2e-3) << x << ", " << y << ", " << z;
      }
}

/// Central differences of a ramp of a x + b y + c z per mm are its slopes times the distance between the voxels that
/// the network sees, which is the model's.
TEST_P(NetworkDataTest, VoxelsAreAsFarApartAsTheModelSays) {
  std::vector<float> differences(3 * 27, 0.0F);
  for (const int k : {0, 1, 2}) {
    const int step = k == 0 ? 1 : (k == 1 ? 3 : 9);
    differences[static_cast<std::size_t>(27 * k + 13 - step)] = -0.5F;
    differences[static_cast<std::size_t>(27 * k + 13 + step)] = 0.5F;
  }
  const ModelFile file(convolution(differences, 3, 3, {0, 0, 0}, metadata("isocenter.spacing_mm", "2 1.5 1.25")));
  const std::int64_t nx = 32, ny = 12, nz = 10;
  std::vector<float> v;
  for (std::int64_t z = 0; z < nz; ++z)
    for (std::int64_t y = 0; y < ny; ++y)
      for (std::int64_t x = 0; x < nx; ++x)
        v.push_back(static_cast<float>(3.0 * static_cast<double>(x) + 5 * 1.5 * static_cast<double>(y) -
                                       7 * 2.5 * static_cast<double>(z)));
  const auto got =
      values<float>(apply<NetworkInference>(context(), {.model = file, .window = {16, 12, 20}, .overlap = 0},
                                            volume(v, nx, ny, nz, {1, 1.5, 2.5}), options()),
                    "voxels");
  const double expected[3] = {3 * 2.0, 5 * 1.5, -7 * 1.25};
  for (std::size_t k = 0; k < 3; ++k)
    for (std::int64_t z = 2; z < nz - 2; ++z)
      for (std::int64_t y = 2; y < ny - 2; ++y)
        for (std::int64_t x = 5; x < nx - 5; ++x)
          ASSERT_NEAR(got[k * v.size() + at(x, y, z, nx, ny)], expected[k], 2e-3)
              << "axis " << k << " at " << x << ", " << y << ", " << z;
}

/// Voxels of alternating sign, three to one of the model's: a triangle as wide as the model's spacing leaves
/// (1 - 2 + 3 - 2 + 1) / 9 of them, a sample at the middle voxel alone would leave all.
TEST_P(NetworkDataTest, NothingBetweenTwoSamplesIsLost) {
  const ModelFile file(identity(metadata("isocenter.spacing_mm", "3 1 1")));
  const std::int64_t nx = 30;
  std::vector<float> v;
  for (std::int64_t i = 0; i < nx * 4; ++i) v.push_back(i % 2 == 0 ? 90.0F : -90.0F);
  const auto got = values<float>(apply<NetworkInference>(context(), {.model = file, .window = {10, 2, 2}, .overlap = 0},
                                                         volume(v, nx, 2, 2), options()),
                                 "voxels");
  for (std::int64_t x = 4; x < nx - 3; x += 3) {
    const std::size_t i = at(x, 1, 1, nx, 2);
    ASSERT_NEAR(got[i], v[i] / 9, 1e-3) << x;
  }
}

TEST_P(NetworkDataTest, EachFrameHasItsOwnScores) {
  const ModelFile file(convolution({1, -3}, 2, 1, {0, 1}));
  auto v = noise(3 * 6 * 5 * 4);
  const std::size_t frame = 6 * 5 * 4;
  Volume in = Volume::describe(6, 5, 4, 3, Geometry(), "HU");
  in.set_tensor("voxels", tensor(DType::float32, "tzyx", {3, 4, 5, 6}, v.data()));
  const Payload out = apply<NetworkInference>(context(), {.model = file, .window = {6, 5, 2}}, in, options());
  EXPECT_STREQ(out.tensor("voxels").axes, "tczyx");
  const auto got = values<float>(out, "voxels");
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < frame; ++i) {
      const float x = v[t * frame + i];
      ASSERT_NEAR(got[2 * t * frame + i], x, 1e-3) << "frame " << t;
      ASSERT_NEAR(got[(2 * t + 1) * frame + i], 1 - 3 * x, 1e-3) << "frame " << t;
    }
}

TEST_P(NetworkDataTest, OfEqualScoresTheLowerClassIsTaken) {
  const ModelFile file(convolution({0, 0, 0, 0}, 4, 1, {1, 2, 2, -1}));
  const auto labels = values<std::uint8_t>(apply<SegmentVolume>(context(), {.model = file, .window = {8, 8, 8}},
                                                                volume(noise(11 * 3 * 2), 11, 3, 2), options()),
                                           "labels");
  for (const int label : labels) ASSERT_EQ(label, 1);
}

/// What the plan of a network for a volume of 12 x 8 voxels says.
std::string plan_of(const std::string& model, std::int64_t slices, const std::vector<double>& window,
                    const SessionOptions& options) {
  Pipeline pipeline(context());
  const Volume in = volume(std::vector<float>(static_cast<std::size_t>(96 * slices)), 12, 8, slices);
  const auto input = pipeline.add_input("input", in);
  const auto network = pipeline.add<NetworkInference>("network", {.model = model, .window = window});
  pipeline.connect(input, network.input);
  pipeline.add_output("output", network.output);
  return pipeline.prepare(options).report();
}

TEST_P(NetworkDataTest, TheReportHoldsTheHashOfTheModelFile) {
  // What sha256sum (GNU coreutils) says of the file.
  EXPECT_THAT(plan_of(std::string(ISOCENTER_TEST_DATA) + "/dncnn.onnx", 1, {8, 8, 1}, options()),
              HasSubstr("\"model_sha256\":\"8d4b932119714668569df7870ece9a33941d2ac703d0427a571eafa00669e72e\""));
}

/// Metadata name x first, shapes of ONNX z first.
TEST_P(NetworkDataTest, TheWindowIsTheMetadatasElseTheInputsOwn) {
  const ModelFile stated(identity(metadata("isocenter.window", "9 7 5")));
  const ModelFile fixed(
      model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, 5, 7, 9}) + port(12, "y", {1, 1, 5, 7, 9})));
  for (const auto* file : {&stated, &fixed})
    EXPECT_THAT(plan_of(*file, 6, {}, options()), HasSubstr("\"window\":\"9 x 7 x 5\""));
}

}  // namespace
}  // namespace isocenter::testing
