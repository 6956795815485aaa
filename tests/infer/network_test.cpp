// Whole networks against ONNX Runtime's results (make_fixtures.py).
#include "fixture.hpp"
#include "infer/passes.hpp"

namespace isocenter::infer::test {
namespace {

class Network : public testing::TestWithParam<Fixture> {
 protected:
  std::vector<float> x = read_floats(std::string(GetParam().name) + ".input.f32");
  std::vector<float> expected = read_floats(std::string(GetParam().name) + ".output.f32");
};
INSTANTIATE_TEST_SUITE_P(Fixtures, Network, testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(Network, AgreesWithOnnxRuntime) {
  Runner runner(plan_cpu(load(GetParam()), {}));
  EXPECT_LT(relative_error(runner.run(x), expected), 2e-6);
  EXPECT_TRUE(runner.executor().summary().reference_nodes.empty()) << runner.executor().summary().reference_nodes[0];
}

TEST_P(Network, AgreesWithOnnxRuntimeInPlainLoopsToo) {
  Runner runner(plan_cpu(load(GetParam()), {.reference = true}));
  EXPECT_LT(relative_error(runner.run(x), expected), 2e-6);
}

TEST_P(Network, AgreesWithOnnxRuntimeOnKernelsOfOursAlone) {
  Runner runner(plan_cpu(load(GetParam()), {.library = false}));
  EXPECT_LT(relative_error(runner.run(x), expected), 2e-6);
}

TEST_P(Network, GivesTheSameWithoutFusion) {
  Runner runner(plan_cpu(load(GetParam()), {.optimise = false}));
  EXPECT_LT(relative_error(runner.run(x), expected), 2e-6);
}

TEST_P(Network, GivesTheSameBitsAgainAndForEveryThreadCount) {
  const auto once = Runner(plan_cpu(load(GetParam()), {.threads = 1})).run(x);
  for (const int threads : {1, 2, 3, 4}) {
    Runner runner(plan_cpu(load(GetParam()), {.threads = threads}));
    EXPECT_EQ(runner.run(x), once) << threads << " threads";
    EXPECT_EQ(runner.run(x), once) << "second run, " << threads << " threads";
  }
}

TEST_P(Network, RunsInAnArenaSmallerThanItsValues) {
  const auto executor = plan_cpu(load(GetParam()), {});
  EXPECT_LT(executor->summary().arena_bytes, executor->summary().sum_of_values_bytes * 2 / 3);
}

TEST(Passes, FoldBatchNormAndFuseActivationsIntoConvolutions) {
  Graph graph = load(fixtures[2]);
  const auto before = graph.nodes.size();
  optimise(graph);
  EXPECT_EQ(before, 5U + 3U + 4U + 1U);  // convolutions, batch norms, ReLUs, the subtraction
  EXPECT_EQ(graph.nodes.size(), 6U);     // five convolutions and the subtraction
  for (std::size_t i = 0; i + 2 < graph.nodes.size(); ++i)
    EXPECT_EQ(std::get<Convolution>(graph.nodes[i].operation).then.function, Function::relu);
}

TEST(Passes, FuseResidualSumsIntoConvolutions) {
  Graph graph = load(fixtures[1]);
  optimise(graph);
  int residuals = 0;
  for (const auto& node : graph.nodes)
    if (const auto* conv = std::get_if<Convolution>(&node.operation)) residuals += conv->residual ? 1 : 0;
  EXPECT_EQ(residuals, 2);  // the decoder's skips; the encoder's sums follow a normalisation
}

}  // namespace
}  // namespace isocenter::infer::test
