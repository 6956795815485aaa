// Ensembles and labels from scores, held to the formulas in double; one channel of them.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/volume/ensemble.hpp>
#include <isocenter/volume/scores_to_labels.hpp>
#include <isocenter/volume/select_channel.hpp>

#include "volume_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t nx = 11, ny = 5, nz = 3;
constexpr std::size_t voxels = nx * ny * nz;

/// Scores "czyx" between -4 and 4.
Volume scores(std::int64_t channels, std::uint32_t seed, const char* unit = "") {
  Volume v{Payload(ISOCENTER_VOLUME)};
  v.set_tensor("voxels", tensor(DType::float32, "czyx", {channels, nz, ny, nx}));
  v.set_geometry(Geometry());
  v.set_text("unit", unit);
  context().allocate(v);
  const auto random = congruential(voxels * static_cast<std::size_t>(channels), seed);
  for (std::size_t i = 0; i < random.size(); ++i) v.values()[i] = static_cast<float>(random[i] % 8001) / 1000.0F - 4.0F;
  return v;
}

ISOCENTER_DEVICE_SUITE(EnsembleTest);
ISOCENTER_DEVICE_SUITE(ScoresToLabelsTest);
ISOCENTER_DEVICE_SUITE(SelectChannelTest);

TEST_P(EnsembleTest, IsTheMeanAndThePopulationsVariance) {
  std::vector<Volume> members;
  for (std::uint32_t seed = 1; seed <= 5; ++seed) members.push_back(scores(2, seed, "HU"));
  Pipeline pipeline(context());
  const auto node = pipeline.add<Ensemble>("ensemble");
  const In<Volume> ports[] = {node.input_1, node.input_2, node.input_3, node.input_5, node.input_8};
  for (std::size_t m = 0; m < 5; ++m)
    pipeline.connect(pipeline.add_input("in" + std::to_string(m), members[m]), ports[m]);
  pipeline.add_output("mean", node.output);
  pipeline.add_output("variance", node.variance);
  Session session = pipeline.prepare(options());
  session.start();
  for (std::size_t m = 0; m < 5; ++m) session.push(("in" + std::to_string(m)).c_str(), members[m]);
  for (std::size_t m = 0; m < 5; ++m) session.end_input(("in" + std::to_string(m)).c_str());
  const Volume mean{context().copy_to(*session.pull("mean"), "cpu")};
  const Volume variance{context().copy_to(*session.pull("variance"), "cpu")};
  EXPECT_EQ(mean.unit(), "HU");
  EXPECT_EQ(variance.unit(), "HU2");
  EXPECT_EQ(variance.geometry().spacing_mm[0], members[0].geometry().spacing_mm[0]);
  for (std::size_t i = 0; i < 2 * voxels; ++i) {
    double sum = 0, squares = 0;
    for (const Volume& m : members) sum += static_cast<double>(m.values()[i]) / 5;
    for (const Volume& m : members) squares += std::pow(static_cast<double>(m.values()[i]) - sum, 2) / 5;
    ASSERT_NEAR(mean.values()[i], sum, 1e-6);
    ASSERT_NEAR(variance.values()[i], squares, 1e-5);
  }
}

TEST(EnsembleErrors, NameTheInputsThatDiffer) {
  const auto refusal = [](std::vector<Volume> members) {
    return error_of([&] {
      Pipeline pipeline(context());
      const auto node = pipeline.add<Ensemble>("ensemble");
      const In<Volume> ports[] = {node.input_1, node.input_4};
      for (std::size_t m = 0; m < members.size(); ++m)
        pipeline.connect(pipeline.add_input("in" + std::to_string(m), members[m]), ports[m]);
      pipeline.add_output("mean", node.output);
      pipeline.prepare();
    });
  };
  EXPECT_THAT(refusal({scores(2, 1)}), HasSubstr("1 inputs are connected, and 2 to 8 make an ensemble"));
  EXPECT_THAT(refusal({scores(2, 1), scores(3, 1)}),
              HasSubstr("input 'input_1' is 2 x 3 x 5 x 11 (czyx) and input 'input_4' 3 x 3 x 5 x 11 (czyx)"));
  EXPECT_THAT(refusal({scores(2, 1), scores(2, 1, "HU")}), HasSubstr("is in '' and input 'input_4' in 'HU'"));
  Volume moved = scores(2, 1);
  moved.set_geometry(Geometry({1, 1, 1}, {5, 0, 0}));
  EXPECT_THAT(refusal({scores(2, 1), moved}), HasSubstr("lie at different places"));
}

TEST_P(ScoresToLabelsTest, GivesTheLargestScoreItsProbabilityAndTheEntropy) {
  for (const std::int64_t channels : {1, 2, 5}) {
    const Volume in = scores(channels, 9);
    Pipeline pipeline(context());
    const auto node = pipeline.add<ScoresToLabels>(
        "labels",
        {.activation = channels == 1 ? ScoreActivation::sigmoid : ScoreActivation::softmax, .threshold = 0.7});
    pipeline.connect(pipeline.add_input("in", in), node.input);
    pipeline.add_output("labels_out", node.output);
    pipeline.add_output("p", node.probabilities);
    pipeline.add_output("u", node.uncertainty);
    Session session = pipeline.prepare(options());
    session.start();
    session.push("in", in);
    session.end_input("in");
    const auto labels = labels_of(context().copy_to(*session.pull("labels_out"), "cpu"));
    const Volume p{context().copy_to(*session.pull("p"), "cpu")}, u{context().copy_to(*session.pull("u"), "cpu")};
    EXPECT_EQ(p.unit(), "1");
    EXPECT_EQ(u.unit(), "1");
    for (std::size_t i = 0; i < voxels; ++i) {
      std::vector<double> q;
      for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
        q.push_back(std::exp(static_cast<double>(in.values()[c * voxels + i])));
      double sum = 0;
      for (const double v : q) sum += v;
      if (channels == 1) sum = 1 + q[0];
      for (double& v : q) v /= sum;
      for (std::size_t c = 0; c < q.size(); ++c) ASSERT_NEAR(p.values()[c * voxels + i], q[c], 1e-6);
      const auto best = static_cast<int>(std::max_element(q.begin(), q.end()) - q.begin());
      ASSERT_EQ(labels[i], channels == 1 ? (q[0] >= 0.7 ? 1 : 0) : best);
      if (channels == 1) q.push_back(1 - q[0]);
      double entropy = 0;
      for (const double v : q) entropy -= v * std::log(v) / std::log(static_cast<double>(q.size()));
      ASSERT_NEAR(u.values()[i], entropy, 1e-5);
    }
  }
}

TEST(ScoresToLabelsErrors, NameParameterValueAndFix) {
  EXPECT_THAT(error_of([] { apply<ScoresToLabels>(context(), {}, scores(1, 1)); }),
              HasSubstr("activation = softmax over one channel is 1 everywhere. Fix: set activation to sigmoid"));
  EXPECT_THAT(error_of([] { apply<ScoresToLabels>(context(), {.names = "background/liver"}, scores(3, 1)); }),
              HasSubstr("names = background/liver names 2 labels, and there are 3"));
  EXPECT_THAT(error_of([] { apply<ScoresToLabels>(context(), {}, Volume::describe(4, 4, 4, Geometry(), "HU")); }),
              HasSubstr("has the axes 'zyx', and float32 scores 'czyx' are needed"));
}

TEST_P(SelectChannelTest, GivesOneChannelToTheBitOnItsGrid) {
  Volume v = scores(3, 9, "1");
  v.set_text("labels.names", "background\\lung\\bone");
  for (int channel = 0; channel < 3; ++channel) {
    const Volume one = apply<SelectChannel>(context(), {.channel = channel}, v, options());
    EXPECT_STREQ(one.voxels().axes, "zyx");
    EXPECT_EQ(one.unit(), "1");
    EXPECT_EQ(one.geometry().spacing_mm[2], v.geometry().spacing_mm[2]);
    ASSERT_EQ(one.values().size(), voxels);
    for (std::size_t i = 0; i < voxels; ++i)
      ASSERT_EQ(one.values()[i], v.values()[static_cast<std::size_t>(channel) * voxels + i]);
  }
}

TEST_P(SelectChannelTest, GivesTheChannelOfEachTimePoint) {
  const Volume v = scores(6, 4);
  Volume moving{Payload(ISOCENTER_VOLUME)};
  moving.set_tensor("voxels", tensor(DType::float32, "tczyx", {2, 3, nz, ny, nx}));
  moving.set_geometry(Geometry());
  context().allocate(moving);
  std::copy(v.values().begin(), v.values().end(), moving.values().begin());
  const Volume one = apply<SelectChannel>(context(), {.channel = 1}, moving, options());
  EXPECT_STREQ(one.voxels().axes, "tzyx");
  for (std::size_t i = 0; i < 2 * voxels; ++i)
    ASSERT_EQ(one.values()[i], v.values()[(i / voxels * 3 + 1) * voxels + i % voxels]);
}

TEST_P(SelectChannelTest, SaysWhichChannelsThereAre) {
  EXPECT_THAT(error_of([&] { apply<SelectChannel>(context(), {.channel = 3}, scores(3, 1), options()); }),
              HasSubstr("channel = 3, and input 'input' has 3. Fix: give one of 0 ... 2"));
  const Volume one = apply<SelectChannel>(context(), {}, scores(1, 1), options());
  EXPECT_THAT(error_of([&] { apply<SelectChannel>(context(), {}, one, options()); }), HasSubstr("has the axes 'zyx'"));
}

}  // namespace
}  // namespace isocenter::testing
