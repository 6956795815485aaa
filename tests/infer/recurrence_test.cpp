// Regions, moved taps and sequences as kernels, held to the plain loops and, one number each, to their definitions.
#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "fixture.hpp"

namespace isocenter::infer::test {
namespace {

using testing::IsEmpty;

std::vector<float> random_values(std::mt19937& random, std::int64_t count, float scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = scale * (static_cast<float>(random() % 2001) / 1000 - 1);
  return values;
}

/// A graph of one operation. The first input is live, the others are constants.
Graph graph_of(Operation operation, Shape live, const std::vector<Array>& constants, Shape out) {
  Graph g;
  g.source = "test";
  Node node{"it",
            "It",
            std::move(operation),
            {g.add_value({"x", ElementType::f32, std::move(live), std::nullopt})},
            no_value};
  g.inputs = node.inputs;
  for (const Array& a : constants) node.inputs.push_back(g.add_value({"", a.type(), a.shape(), a}));
  node.output = g.add_value({"y", ElementType::f32, std::move(out), std::nullopt});
  g.outputs = {node.output};
  g.nodes.push_back(std::move(node));
  return g;
}

Array array(std::mt19937& random, Shape shape, float scale = 1) {
  const std::int64_t count = element_count(shape);
  return Array::of(std::move(shape), random_values(random, count, scale));
}

/// The kernel's result with one and three threads, which are the same bits and within `bound` of the plain loops'.
std::vector<float> kernel_result(const Graph& graph, const std::vector<float>& x, float bound) {
  const auto expected = Runner(plan_cpu(graph, {.reference = true})).run(x);
  std::vector<float> got;
  for (const int threads : {1, 3}) {
    Runner runner(plan_cpu(graph, {.threads = threads}));
    EXPECT_THAT(runner.executor().summary().reference_nodes, IsEmpty());
    const auto y = runner.run(x);
    EXPECT_TRUE(got.empty() || std::memcmp(got.data(), y.data(), y.size() * sizeof(float)) == 0);
    got = y;
  }
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], bound) << i;
  return got;
}

TEST(Regions, AreAlignedAsByThePlainLoops) {
  std::mt19937 random(1);
  for (int round = 0; round < 24; ++round) {
    const Shape map{2, 3, 5 + round % 3, 9}, out{4, 3, 1 + round % 4, 2};
    std::vector<float> boxes;
    for (int i = 0; i < 4; ++i) {
      const auto corner = random_values(random, 4, 6);
      boxes.insert(boxes.end(),
                   {corner[0], corner[1], corner[0] + std::fabs(corner[2]), corner[1] + std::fabs(corner[3])});
    }
    const RegionAlign what{round % 2 == 0 ? 1.0 : 0.5, round % 3, round % 4 < 2, round % 5 == 0};
    kernel_result(graph_of(Loops{what}, map, {Array::of({4, 4}, boxes), Array::of({0, 1, -1, 7})}, out),
                  random_values(random, element_count(map)), 0);
  }
  // One sample in the middle of a box of two by two whole pixels is their mean.
  const auto y = kernel_result(graph_of(Loops{RegionAlign{1, 1, false, false}}, {1, 1, 2, 2},
                                        {Array::of({1, 4}, {0, 0, 1, 1}), Array::of({0})}, {1, 1, 1, 1}),
                               {1, 2, 3, 6}, 0);
  EXPECT_FLOAT_EQ(y[0], 3);
}

TEST(MovedTaps, AreThoseOfThePlainLoops) {
  std::mt19937 random(2);
  for (int round = 0; round < 16; ++round) {
    DeformedConvolution what;
    what.window = {{3, 2}, {1 + round % 2, 1}, {1, 1 + round / 2 % 2}, {1, 0}, {1, 1}};
    what.groups = round % 4 < 2 ? 1 : 2;
    what.offset_groups = round % 8 < 4 ? 1 : 2;
    what.bias = round % 3 != 0;
    what.mask = round % 5 != 0;
    const std::int64_t rows = (6 + 2 - 3) / what.window.strides[0] + 1,
                       columns = 5 + 1 - ((2 - 1) * what.window.dilations[1] + 1) + 1, taps = 6 * what.offset_groups;
    std::vector<Array> inputs{array(random, {6, 4 / what.groups, 3, 2}),
                              array(random, {2, 2 * taps, rows, columns}, 3)};
    if (what.bias) inputs.push_back(array(random, {6}));
    if (what.mask) inputs.push_back(array(random, {2, taps, rows, columns}));
    kernel_result(graph_of(Loops{what}, {2, 4, 6, 5}, inputs, {2, 6, rows, columns}), random_values(random, 240), 0);
  }
}

TEST(Sequences, OfLstmAndGruAreThoseOfThePlainLoops) {
  std::mt19937 random(3);
  for (int round = 0; round < 32; ++round) {
    const bool lstm = round % 2 == 0;
    const std::int64_t gates = lstm ? 4 : 3, time = 5, batch = 3, width = 2, hidden = 1 + round % 5;
    Recurrence what;
    what.kind = lstm ? Recurrence::Kind::lstm : Recurrence::Kind::gru;
    what.hidden = hidden;
    what.directions = round % 3 == 0 ? 2 : 1;
    what.backward = round % 3 == 1;
    what.linear_before_reset = round % 4 < 2;
    what.coupled_gates = round % 8 < 2;
    what.clip = round % 5 == 0 ? 0.5F : 0.0F;
    const std::int64_t d = what.directions;
    for (std::int64_t i = 0; i < d; ++i) {
      what.activations.push_back({Function::sigmoid, 0, 0});
      what.activations.push_back({Function::tanh, 0, 0});
      if (lstm) what.activations.push_back({round % 7 == 0 ? Function::relu : Function::tanh, 0, 0});
    }
    std::vector<Array> inputs{array(random, {d, gates * hidden, width}), array(random, {d, gates * hidden, hidden})};
    what.inputs = {0, 1, 2, -1, -1, -1, -1, -1};
    const auto add = [&](std::size_t place, Array a) {
      inputs.push_back(std::move(a));
      what.inputs[place] = static_cast<int>(inputs.size());
    };
    if (round % 5 != 1) add(3, array(random, {d, 2 * gates * hidden}));
    if (round % 3 != 2) {
      Array lengths(ElementType::i32, {batch});
      for (std::int64_t i = 0; i < batch; ++i) lengths.set_integer(i, 5 - 2 * i);
      add(4, lengths);
    }
    if (round % 2 == 1 || round % 4 == 0) add(5, array(random, {d, batch, hidden}));
    if (lstm && round % 4 == 0) add(6, array(random, {d, batch, hidden}));
    if (lstm && round % 6 == 0) add(7, array(random, {d, 3 * hidden}));
    kernel_result(graph_of(Loops{what}, {time, batch, width}, inputs, {(time + 2) * d * batch * hidden}),
                  random_values(random, time * batch * width, 2), 2e-6F);
  }
}

TEST(Sequences, AnLstmOfOneCellFollowsItsEquations) {
  Recurrence what;
  what.hidden = 1;
  what.activations = {{Function::sigmoid, 0, 0}, {Function::tanh, 0, 0}, {Function::tanh, 0, 0}};
  what.inputs = {0, 1, 2, -1, -1, -1, -1, -1};
  const auto y = kernel_result(
      graph_of(Loops{what}, {2, 1, 1},
               {Array::of({1, 4, 1}, {0.5F, -0.25F, 1, 2}), Array::of({1, 4, 1}, {1, 0.5F, -1, 0.25F})}, {4}),
      {0.75F, -1}, 1e-6F);
  const auto s = [](double v) { return 1 / (1 + std::exp(-v)); };
  double h = 0, c = 0;
  for (const double x : {0.75, -1.0}) {  // gates i, o, f, c
    const double i = s(0.5 * x + h), o = s(-0.25 * x + 0.5 * h), f = s(x - h);
    c = f * c + i * std::tanh(2 * x + 0.25 * h);
    h = o * std::tanh(c);
  }
  EXPECT_NEAR(y[1], h, 1e-6);
  EXPECT_NEAR(y[2], h, 1e-6);
  EXPECT_NEAR(y[3], c, 1e-6);
}

}  // namespace
}  // namespace isocenter::infer::test
