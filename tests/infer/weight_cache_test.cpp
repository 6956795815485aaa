// Sessions of one process that run the same network share its weights.
#include "infer/weight_cache.hpp"

#include <gmock/gmock.h>

#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>
#include <thread>

#include "device_test.hpp"
#include "fixture.hpp"
#include "infer/weight_cache.hpp"
#include "model_file.hpp"

namespace isocenter::infer::test {
namespace {

CpuOptions keyed(const std::string& key, int threads = 2) {
  CpuOptions options;
  options.threads = threads;
  options.weights_key = key;
  return options;
}

class SharedWeights : public ::testing::TestWithParam<Fixture> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, SharedWeights, ::testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(SharedWeights, ASecondPlanAddsNoneAndGivesTheSame) {
  const auto x = read_floats(std::string(GetParam().name) + ".input.f32");
  const auto expected = read_floats(std::string(GetParam().name) + ".output.f32");
  auto first = std::make_unique<Runner>(plan_cpu(load(GetParam()), keyed("one")));
  EXPECT_FALSE(first->executor().summary().shared_constants);
  const auto result = first->run(x);
  Runner second(plan_cpu(load(GetParam()), keyed("one")));
  EXPECT_TRUE(second.executor().summary().shared_constants);
  EXPECT_EQ(second.executor().summary().constant_bytes, first->executor().summary().constant_bytes);
  EXPECT_EQ(second.run(x), result);
  first.reset();  // the second one still holds them
  EXPECT_EQ(second.run(x), result);
  EXPECT_LT(relative_error(result, expected), 2e-6);
}

TEST_P(SharedWeights, AnotherFormAndNoKeyShareNothing) {
  const auto first = plan_cpu(load(GetParam()), keyed("two"));
  CpuOptions loops = keyed("two");
  loops.reference = true;
  EXPECT_FALSE(plan_cpu(load(GetParam()), loops)->summary().shared_constants);
  EXPECT_FALSE(plan_cpu(load(GetParam()), keyed(""))->summary().shared_constants);
  EXPECT_TRUE(plan_cpu(load(GetParam()), keyed("two"))->summary().shared_constants);
}

/// A batch's plan and that of the windows that are left, or two shapes in two sessions.
TEST_P(SharedWeights, AnotherShapeWhoseWeightsTakeTheSameFormAddsNone) {
  const auto first = plan_cpu(load(GetParam()), keyed("four"));
  const auto same = plan_cpu(load(GetParam()), keyed("five"));
  EXPECT_TRUE(same->summary().shared_constants);
  EXPECT_EQ(same->summary().constants, first->summary().constants);
}

TEST(WeightCache, GoWithTheLastSessionThatHoldsThem) {
  const std::vector<std::byte> content(1000, std::byte{7});
  auto block = share_weights("key", std::make_shared<const WeightBlock>(content));
  EXPECT_EQ(find_weights("key"), block);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block->data()) % 256, 0U);
  EXPECT_EQ(share_weights("key", std::make_shared<const WeightBlock>(content)), block) << "the earlier one counts";
  EXPECT_EQ(share_weights("other", std::make_shared<const WeightBlock>(content)), block) << "the same bytes";
  const std::vector<std::byte> others(1000, std::byte{8});
  EXPECT_NE(share_weights("others", std::make_shared<const WeightBlock>(others)), block);
  block.reset();
  EXPECT_EQ(find_weights("key"), nullptr);
}

TEST(WeightCache, ThreadsThatPlanAtTheSameTimeEndWithOneBlock) {
  std::vector<std::shared_ptr<const WeightBlock>> got(8);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : got)
      threads.emplace_back(
          [&mine] { mine = share_weights("race", std::make_shared<const WeightBlock>(std::vector<std::byte>(64))); });
  }
  for (const auto& block : got) EXPECT_EQ(block, got[0]);
}

TEST(WeightCache, TheReportOfASecondSessionSaysThatItAddsNone) {
  const auto prepare = [] {
    Pipeline pipeline(isocenter::testing::context());
    const auto input = pipeline.add_input("input", volume(noise(16 * 16), 16, 16, 1));
    const auto network =
        pipeline.add<NetworkInference>("network", {.model = data_path("dncnn.onnx"), .window = {16, 16, 1}});
    pipeline.connect(input, network.input);
    pipeline.add_output("output", network.output);
    return pipeline.prepare();
  };
  const Session first = prepare(), second = prepare();
  EXPECT_THAT(first.report(), ::testing::HasSubstr(", of this session"));
  EXPECT_THAT(second.report(), ::testing::HasSubstr(", another session's"));
}

/// ONNX's docs/ExternalData.md. The file's digest does not tell two of these from one another.
TEST(WeightCache, AModelWhoseWeightsLieInAnotherFileSaysSo) {
  using namespace tiny;
  const ModelFile weights(floats({1, 2, 3, 4}));
  const std::string name = std::filesystem::path(std::string(weights)).filename();
  const std::string outside = field(13, field(1, "location") + field(2, name)) + number(14, 1);
  const ModelFile file(model(
      node("Conv", {"x", "w"}, "y") +
      field(5, number(1, 2) + number(1, 2) + number(1, 1) + number(1, 1) + number(2, 1) + field(8, "w") + outside) +
      standard_ports()));
  EXPECT_TRUE(read_onnx(file).external_data);
  EXPECT_FALSE(read_onnx(data_path("dncnn.onnx")).external_data);
}

}  // namespace
}  // namespace isocenter::infer::test
