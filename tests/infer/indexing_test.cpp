// Operations that move, sort, sum along an axis, sample and select, as kernels: held to definitions written out here
// and to the plain loops that run every other element type.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "fixture.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A graph of one operation on float32 inputs.
Graph graph_of(Operation operation, const std::vector<Shape>& inputs, ElementType type, Shape out) {
  Graph g;
  g.source = "test";
  Node node{"it", "It", std::move(operation), {}, no_value};
  for (const Shape& s : inputs) {
    node.inputs.push_back(g.add_value({"in" + std::to_string(node.inputs.size()), ElementType::f32, s, std::nullopt}));
    g.inputs.push_back(node.inputs.back());
  }
  node.output = g.add_value({"out", type, std::move(out), std::nullopt});
  g.outputs.push_back(node.output);
  g.nodes.push_back(std::move(node));
  return g;
}

template <class T = float>
std::vector<T> run(const Graph& graph, const std::vector<std::vector<float>>& in, const CpuOptions& options,
                   std::vector<std::string>* plain_loops = nullptr) {
  Runner runner(plan_cpu(graph, options));
  for (std::size_t i = 0; i < in.size(); ++i) std::memcpy(runner.input(i), in[i].data(), in[i].size() * sizeof(float));
  runner.executor().run(nullptr);
  if (plain_loops != nullptr) *plain_loops = runner.executor().summary().reference_nodes;
  const auto* out = reinterpret_cast<const T*>(runner.output());
  return {out, out + element_count(runner.executor().outputs()[0].shape)};
}

/// As a kernel with one and with three threads: runs none of it in plain loops, and gives their bits.
template <class T = float>
void expect_plain_loops_bits(const Graph& graph, const std::vector<std::vector<float>>& in, const std::string& what) {
  const auto expected = run<T>(graph, in, {.reference = true});
  for (const int threads : {1, 3}) {
    std::vector<std::string> plain_loops;
    const auto got = run<T>(graph, in, {.threads = threads}, &plain_loops);
    EXPECT_THAT(plain_loops, IsEmpty()) << what;
    ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)), 0) << what;
  }
}

std::vector<float> random_values(std::mt19937& random, std::int64_t count, int different) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % static_cast<unsigned>(different))) / 8 - 3;
  return values;
}

Shape random_shape(std::mt19937& random, std::size_t rank, unsigned most) {
  Shape shape(rank);
  for (auto& e : shape) e = 1 + static_cast<std::int64_t>(random() % most);
  return shape;
}

TEST(Movement, ATransposeOfUpToEightAxesIsAKernelAndPutsEveryElementInItsPlace) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    const std::size_t rank = 5 + random() % 4;
    const Shape from = random_shape(random, rank, 4), steps = dense_strides(from);
    Copy copy;
    copy.axes.resize(rank);
    copy.tables.resize(rank);
    std::iota(copy.axes.begin(), copy.axes.end(), 0);
    std::shuffle(copy.axes.begin(), copy.axes.end(), random);
    Shape to;
    for (const int axis : copy.axes) to.push_back(from[static_cast<std::size_t>(axis)]);
    std::vector<float> x(static_cast<std::size_t>(element_count(from)));
    std::iota(x.begin(), x.end(), 0.0F);
    std::vector<std::string> plain_loops;
    const auto y = run(graph_of(copy, {from}, ElementType::f32, to), {x}, {}, &plain_loops);
    EXPECT_THAT(plain_loops, IsEmpty());
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::int64_t rest = static_cast<std::int64_t>(i), at = 0;
      for (std::size_t k = rank; k-- > 0;) {
        at += rest % to[k] * steps[static_cast<std::size_t>(copy.axes[k])];
        rest /= to[k];
      }
      ASSERT_EQ(y[i], static_cast<float>(at)) << to_text(from) << " to " << to_text(to) << " at " << i;
    }
  }
}

TEST(Movement, TablesOnEightAxesPadAndPick) {
  Copy copy;
  copy.axes = {7, 6, 5, 4, 3, 2, 1, 0};
  for (int k = 0; k < 8; ++k) copy.tables.push_back({1, -1, 0});
  copy.fill = -5;
  std::vector<float> x(256);
  std::iota(x.begin(), x.end(), 0.0F);
  expect_plain_loops_bits(graph_of(copy, {Shape(8, 2)}, ElementType::f32, Shape(8, 3)), {x}, "tables");
}

TEST(TopK, GivesTheBestInOrderTheLowerPositionFirstWhereEqual) {
  std::mt19937 random(3);
  for (int round = 0; round < 80; ++round) {
    const Shape from = random_shape(random, 3, 40);
    const int axis = static_cast<int>(random() % 3);
    const auto extent = from[static_cast<std::size_t>(axis)];
    Shape to = from;
    to[static_cast<std::size_t>(axis)] = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(extent));
    auto x = random_values(random, element_count(from), 17);
    if (round % 3 == 0)
      for (std::size_t i = 0; i < x.size(); i += 7) x[i] = NAN;
    const TopPositions what{axis, round % 2 == 0};
    const Graph graph = graph_of(Loops{what}, {from}, ElementType::i64, to);
    expect_plain_loops_bits<std::int64_t>(graph, {x}, to_text(from) + " axis " + std::to_string(axis));
    if (round % 3 == 0 || axis != 2) continue;
    const auto got = run<std::int64_t>(graph, {x}, {});  // rows: a stable sort is the definition
    std::vector<std::int64_t> order(static_cast<std::size_t>(extent));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      const float va = x[static_cast<std::size_t>(a)], vb = x[static_cast<std::size_t>(b)];
      return what.largest ? va > vb : va < vb;
    });
    for (std::size_t i = 0; i < static_cast<std::size_t>(to[2]); ++i) ASSERT_EQ(got[i], order[i]) << i;
  }
}

TEST(TopK, ValuesComeFromTheirPositionsWithoutPlainLoops) {
  const std::string bytes = tiny::model(tiny::node("TopK", {"x", "k"}, "y") +
                                        tiny::initialiser("k", {1}, std::string("\3\0\0\0\0\0\0\0", 8), 7) +
                                        tiny::port(11, "x", {2, 5}) + tiny::port(12, "y", {2, 3}));
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "small", "");
  Runner runner(plan_cpu(lower(parsed, {}), {}));
  EXPECT_THAT(runner.executor().summary().reference_nodes, IsEmpty());
  EXPECT_THAT(runner.run({1, 5, 3, 5, 2, -1, -4, -2, -8, -3}), ElementsAre(5, 5, 3, -1, -2, -3));
}

TEST(RunningSums, AreThoseOfThePlainLoops) {
  std::mt19937 random(4);
  for (int round = 0; round < 60; ++round) {
    const Shape shape = random_shape(random, 4, 12);
    const CumulativeSum what{static_cast<int>(random() % 4), round % 2 == 0, round % 4 < 2};
    expect_plain_loops_bits(graph_of(Loops{what}, {shape}, ElementType::f32, shape),
                            {random_values(random, element_count(shape), 1001)}, to_text(shape));
  }
  const auto y = run(graph_of(Loops{CumulativeSum{0, true, true}}, {{4}}, ElementType::f32, {4}), {{1, 2, 3, 4}}, {});
  EXPECT_THAT(y, ElementsAre(9, 7, 4, 0));
}

TEST(GridSampling, IsThatOfThePlainLoopsInEveryModeInsideOutsideAndAtNaN) {
  std::mt19937 random(5);
  for (int round = 0; round < 108; ++round) {
    const std::size_t axes = 1 + static_cast<std::size_t>(round) / 18 % 3;
    const GridSample what{static_cast<GridMode>(round % 3), static_cast<GridPadding>(round / 3 % 3),
                          round / 9 % 2 == 0};
    Shape from = random_shape(random, 2 + axes, 6), to = from, grid{from[0]};
    for (std::size_t k = 0; k < axes; ++k) {
      to[2 + k] = 1 + static_cast<std::int64_t>(random() % 9);
      grid.push_back(to[2 + k]);
    }
    grid.push_back(static_cast<std::int64_t>(axes));
    auto points = random_values(random, element_count(grid), 49);
    points[0] = NAN;
    for (std::size_t i = 2; i < points.size(); i += 2) points[i] *= 0.33F;
    expect_plain_loops_bits(graph_of(Loops{what}, {from, grid}, ElementType::f32, to),
                            {random_values(random, element_count(from), 1001), points},
                            "round " + std::to_string(round) + ", " + to_text(from) + " to " + to_text(to));
  }
}

std::string f32_of(float v) { return tiny::floats({v}); }

/// Boxes x (batch, count, 4), scores s (batch, classes, count); at most two of a class, overlap 0.5, score above 0.2.
std::string detector(const std::string& after = "", const std::string& output = "y") {
  using namespace tiny;
  return model(node("NonMaxSuppression", {"x", "s", "most", "overlap", "lowest"}, "y") + after +
               initialiser("most", {1}, std::string("\2\0\0\0\0\0\0\0", 8), 7) +
               initialiser("overlap", {1}, f32_of(0.5F)) + initialiser("lowest", {1}, f32_of(0.2F)) +
               port(11, "x", {1, -1, 4}) + port(11, "s", {1, -1, -1}) + port(12, output, {-1, 3}));
}
OnnxModel parse_detector(const std::string& bytes) {
  return parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "detector", "");
}
const std::map<std::string, Shape> four_boxes = {{"x", {1, 4, 4}}, {"s", {1, 2, 4}}};

TEST(NonMaximumSuppression, OnLiveDataGivesTheSelectedThenRowsOfMinusOne) {
  // Box 1 covers 9/11 of the union with box 0; box 2 lies apart; box 3 touches none.
  const std::vector<float> boxes{0, 0, 10, 10, 0, 1, 10, 11, 20, 20, 30, 30, 40, 40, 41, 41};
  const Graph graph = lower(parse_detector(detector()), {.input_shapes = four_boxes});
  for (const CpuOptions& engine : {CpuOptions{}, CpuOptions{.reference = true}, CpuOptions{.library = false}}) {
    // Class 0: 1 before 0, which it covers, then 2; class 1: 3 alone is above the score.
    EXPECT_THAT(run<std::int64_t>(graph, {boxes, {0.8F, 0.9F, 0.5F, 0.3F, 0.1F, 0.2F, NAN, 0.7F}}, engine),
                ElementsAre(0, 0, 1, 0, 0, 2, 0, 1, 3, -1, -1, -1));
    EXPECT_THAT(run<std::int64_t>(graph, {boxes, std::vector<float>(8, 0.0F)}, engine), testing::Each(testing::Eq(-1)));
  }
}

TEST(NonMaximumSuppression, OfNoBoxesAtMostGivesNoRows) {
  std::string bytes = detector();
  bytes.replace(bytes.find(std::string("\2\0\0\0\0\0\0\0", 8)), 1, 1, '\0');
  const Graph graph = lower(parse_detector(bytes), {.input_shapes = four_boxes});
  EXPECT_THAT(graph.value(graph.outputs[0]).shape, ElementsAre(0, 3));
  EXPECT_THAT(run<std::int64_t>(graph, {std::vector<float>(16, 1.0F), std::vector<float>(8, 0.9F)}, {}), IsEmpty());
}

TEST(NonMaximumSuppression, FollowsTheGreedyDefinitionOnRandomBoxes) {
  std::mt19937 random(6);
  for (int round = 0; round < 30; ++round) {
    const std::int64_t count = 1 + static_cast<std::int64_t>(random() % 60);
    const Suppression what{1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(count)), 0.4, -1.0, true};
    std::vector<float> boxes, scores;
    for (std::int64_t i = 0; i < count; ++i) {
      for (int k = 0; k < 4; ++k) boxes.push_back(1 + static_cast<float>(random() % 64) / 4);
      scores.push_back(static_cast<float>(random() % 1000) / 1000);
    }
    Graph g = graph_of(Loops{TopPositions{2, true}}, {{1, 1, count}}, ElementType::i64, {1, 1, count});
    const ValueId x = g.add_value({"x", ElementType::f32, {1, count, 4}, std::nullopt});
    const ValueId y = g.add_value({"y", ElementType::i64, {what.most, 3}, std::nullopt});
    g.nodes.push_back({"it", "It", Loops{what}, {x, g.inputs[0], g.outputs[0]}, y});
    g.inputs.push_back(x);
    g.outputs = {y};
    const auto got = run<std::int64_t>(g, {scores, boxes}, {});
    const auto box = [&](std::int64_t i, std::size_t k) {
      return static_cast<double>(boxes[static_cast<std::size_t>(i) * 4 + k]);
    };
    const auto covers = [&](std::int64_t a, std::int64_t b) {  // Everingham et al., IJCV 88 (2010), eq. 3
      double both = 1;
      for (std::size_t k = 0; k < 2; ++k)
        both *= std::max(0.0, std::min(box(a, k) + box(a, 2 + k) / 2, box(b, k) + box(b, 2 + k) / 2) -
                                  std::max(box(a, k) - box(a, 2 + k) / 2, box(b, k) - box(b, 2 + k) / 2));
      return both / (box(a, 2) * box(a, 3) + box(b, 2) * box(b, 3) - both) > what.overlap;
    };
    std::set<std::int64_t> left;
    for (std::int64_t i = 0; i < count; ++i) left.insert(i);
    std::size_t at = 0;
    for (; at < static_cast<std::size_t>(what.most) && !left.empty(); ++at) {
      const std::int64_t best = *std::max_element(left.begin(), left.end(), [&](auto a, auto b) {
        return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
      });
      ASSERT_EQ(got[at * 3 + 2], best) << "round " << round;
      left.erase(best);
      std::erase_if(left, [&](auto i) { return covers(best, i); });
    }
    for (at *= 3; at < got.size(); ++at) EXPECT_EQ(got[at], -1);
  }
}

TEST(NonMaximumSuppression, KnownWhenPlannedIsExactAndMayBeRead) {
  Array boxes = Array::of({1, 2, 4}, {0, 0, 10, 10, 0, 1, 10, 11}), scores = Array::of({1, 1, 2}, {0.8F, 0.9F});
  LowerOptions options;
  options.constant_inputs = {{"x", boxes}, {"s", scores}};
  const Graph graph = lower(parse_detector(detector(tiny::node("Neg", {"y"}, "z"), "z")), options);
  EXPECT_THAT(graph.value(graph.outputs[0]).shape, ElementsAre(1, 3));
  EXPECT_EQ(graph.value(graph.outputs[0]).constant->integer(2), -1);
}

std::string refusal(const std::string& bytes, const std::map<std::string, Shape>& shapes) {
  try {
    lower(parse_detector(bytes), {.input_shapes = shapes});
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(NonMaximumSuppression, ANodeThatReadsWhatLiveDataSelectIsRefused) {
  EXPECT_THAT(refusal(detector(tiny::node("Neg", {"y"}, "z"), "z"), four_boxes),
              testing::AllOf(HasSubstr("detector: node 'the_Neg' (Neg, opset 17) reads 'y', the boxes that a "
                                       "non-maximum suppression selects; how many of its 4 rows hold a box is known "
                                       "when the network runs, the others are -1"),
                             HasSubstr("end the model at NonMaxSuppression")));
}

TEST(NonMaximumSuppression, ShapesThatDoNotBelongTogetherAreRefused) {
  EXPECT_THAT(refusal(detector(), {{"x", {1, 4, 4}}, {"s", {1, 2, 5}}}), HasSubstr("has boxes of shape"));
}

}  // namespace
}  // namespace isocenter::infer::test
