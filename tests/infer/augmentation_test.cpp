// Test-time augmentation as a pipeline: a network on a volume and on its mirror image, mean, variance, labels.
#include <gmock/gmock.h>

#include <cmath>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/volume/ensemble.hpp>
#include <isocenter/volume/mirror_volume.hpp>
#include <isocenter/volume/scores_to_labels.hpp>

#include "device_test.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using namespace infer::test::tiny;

/// Class 1 has the value of the next voxel along x less `limit`, class 0 has 0: a network that prefers a side.
std::string next_along_x(float limit) {
  std::vector<float> weights(2 * 27, 0);
  weights[27 + 14] = 1;
  return convolution(weights, 2, 3, {0, -limit});
}

ISOCENTER_DEVICE_SUITE(AugmentationTest);

TEST_P(AugmentationTest, MeanVarianceAndLabelsOfAMirroredPairHaveTheirClosedForm) {
  constexpr int nx = 9, ny = 4, nz = 5;
  const ModelFile file(next_along_x(0.25F));
  std::vector<float> v = noise(nx * ny * nz);
  for (float& value : v) value *= 0.01F;
  const Volume in = volume(v, nx, ny, nz);

  NetworkInference::Params network;
  network.model = file;
  network.window = {nx, ny, nz};
  Pipeline pipeline(context());
  const auto input = pipeline.add_input("in", in);
  const auto plain = pipeline.add<NetworkInference>("plain", network);
  const auto mirrored = pipeline.add<MirrorVolume>("mirror", {.x = true});
  const auto other = pipeline.add<NetworkInference>("other", network);
  const auto back = pipeline.add<MirrorVolume>("back", {.x = true});
  const auto both = pipeline.add<Ensemble>("both");
  const auto labels = pipeline.add<ScoresToLabels>("labels");
  pipeline.connect(input, plain.input);
  pipeline.connect(input, mirrored.input);
  pipeline.connect(mirrored.output, other.input);
  pipeline.connect(other.output, back.input);
  pipeline.connect(plain.output, both.input_1);
  pipeline.connect(back.output, both.input_2);
  pipeline.connect(both.output, labels.input);
  pipeline.add_output("mean", both.output);
  pipeline.add_output("variance", both.variance);
  pipeline.add_output("found", labels.output);
  pipeline.add_output("uncertainty", labels.uncertainty);
  Session session = pipeline.prepare(options());
  session.start();
  session.push("in", in);
  session.end_input("in");
  const auto pulled = [&](const char* name) { return context().copy_to(*session.pull(name), "cpu"); };
  const auto mean = values<float>(pulled("mean"), "voxels"), variance = values<float>(pulled("variance"), "voxels"),
             uncertainty = values<float>(pulled("uncertainty"), "voxels");
  const auto found = values<std::uint8_t>(pulled("found"), "labels");

  int ones = 0;
  for (int i = 0; i < nx * ny * nz; ++i) {
    const int x = i % nx;
    const auto at = static_cast<std::size_t>(i);
    const double after = x + 1 < nx ? v[at + 1] : 0, before = x > 0 ? v[at - 1] : 0;
    const double score = 0.5 * (after + before) - 0.25, p = 1 / (1 + std::exp(-score));
    ASSERT_NEAR(mean[nx * ny * nz + at], score, 1e-5) << i;
    ASSERT_NEAR(variance[nx * ny * nz + at], 0.25 * (after - before) * (after - before), 1e-4) << i;
    ASSERT_EQ(variance[at], 0) << i;
    ASSERT_NEAR(uncertainty[at], -(p * std::log2(p) + (1 - p) * std::log2(1 - p)), 1e-4) << i;
    ASSERT_TRUE(std::fabs(score) < 1e-5 || found[at] == (score > 0 ? 1 : 0)) << i;
    ones += found[at];
  }
  EXPECT_GT(ones, 20);
  EXPECT_LT(ones, nx * ny * nz - 20);
}

}  // namespace
}  // namespace isocenter::testing
