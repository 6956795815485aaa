// What the passes over copies leave, and that it computes the same.
#include "infer/passes.hpp"

#include <gmock/gmock.h>

#include <numeric>
#include <random>

#include "fixture.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;

Graph parsed(const std::string& nodes, const std::vector<std::int64_t>& shape) {
  const std::string bytes = model(nodes + port(11, "x", shape) + port(12, "y", shape));
  return lower(parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "passes", ""), {});
}
int copies(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) count += std::holds_alternative<Copy>(node.operation) ? 1 : 0;
  return count;
}
/// The copies that the passes leave; the result is that without them.
int copies_left(const std::string& nodes, const std::vector<std::int64_t>& shape) {
  Graph graph = parsed(nodes, shape);
  std::vector<float> x(static_cast<std::size_t>(element_count(graph.value(graph.inputs[0]).shape)));
  std::mt19937 random(1);
  for (float& v : x) v = static_cast<float>(random() % 1000) / 500 - 1;
  const auto with = Runner(plan_cpu(graph, {})).run(x), without = Runner(plan_cpu(graph, {.optimise = false})).run(x);
  EXPECT_LT(relative_error(with, without), 1e-6);
  optimise(graph);
  return copies(graph);
}

TEST(Transposes, ThatUndoEachOtherGoAndOthersBecomeOne) {
  const std::string there = node("Transpose", {"x"}, "a", ints("perm", {0, 2, 3, 1}));
  EXPECT_EQ(copies_left(there + node("Relu", {"a"}, "b") + node("Transpose", {"b"}, "y", ints("perm", {0, 3, 1, 2})),
                        {1, 2, 3, 4}),
            2)
      << "something lies between";
  EXPECT_EQ(copies_left(there + node("Transpose", {"a"}, "b", ints("perm", {0, 3, 1, 2})) + node("Relu", {"b"}, "y"),
                        {1, 2, 3, 4}),
            0);
  EXPECT_EQ(copies_left(there + node("Transpose", {"a"}, "b", ints("perm", {3, 2, 0, 1})) +
                            node("Transpose", {"b"}, "c", ints("perm", {1, 0, 2, 3})) + node("Relu", {"c"}, "y"),
                        {1, 2, 3, 4}),
            1);
  EXPECT_EQ(copies_left(there + node("Transpose", {"a"}, "y", ints("perm", {0, 3, 1, 2})), {1, 2, 3, 4}), 1)
      << "an output needs a copy of its own";
  EXPECT_EQ(
      copies_left(there + node("Transpose", {"a"}, "b", ints("perm", {0, 3, 1, 2})) + node("Add", {"b", "x"}, "c") +
                      node("Transpose", {"a"}, "d", ints("perm", {0, 3, 1, 2})) + node("Mul", {"c", "d"}, "y"),
                  {1, 2, 3, 4}),
      0)
      << "read twice";
  const auto one = [](std::int64_t v) { return std::string(reinterpret_cast<const char*>(&v), sizeof v); };
  EXPECT_EQ(copies_left(node("Slice", {"x", "from", "to", "axis"}, "a") +
                            node("Transpose", {"a"}, "b", ints("perm", {0, 2, 3, 1})) + node("Relu", {"b"}, "y") +
                            initialiser("from", {1}, one(0), 7) + initialiser("to", {1}, one(1), 7) +
                            initialiser("axis", {1}, one(2), 7),
                        {1, 2, 3, 4}),
            2)
      << "the first cuts";
}

TEST(Pads, OfZerosBecomeTheConvolutionsOwnAndOthersStay) {
  const auto pads = [](const std::vector<std::int64_t>& values) {
    std::string raw(values.size() * sizeof(std::int64_t), '\0');
    std::memcpy(raw.data(), values.data(), raw.size());
    return initialiser("pads", {values.size()}, raw, 7);
  };
  std::vector<float> w(2 * 2 * 3 * 3);
  std::iota(w.begin(), w.end(), -7.0F);
  const std::string conv =
      node("Conv", {"p", "w"}, "y", ints("pads", {1, 0, 0, 1})) + initialiser("w", {2, 2, 3, 3}, floats(w));
  const std::string pad = node("Pad", {"x", "pads"}, "p");
  EXPECT_EQ(copies_left(pad + conv + pads({0, 0, 1, 2, 0, 0, 3, 0}), {1, 2, 5, 6}), 0);
  EXPECT_EQ(copies_left(node("Pad", {"x", "pads", "one"}, "p") + conv + pads({0, 0, 1, 2, 0, 0, 3, 0}) +
                            initialiser("one", {}, floats({1})),
                        {1, 2, 5, 6}),
            1);
  EXPECT_EQ(copies_left(pad + conv + pads({0, 1, 0, 0, 0, 0, 0, 0}), {1, 1, 5, 6}), 1) << "a channel of zeros";
  EXPECT_EQ(copies_left(pad + conv + pads({0, 0, -1, 2, 0, 0, 0, 0}), {1, 2, 5, 6}), 1) << "cut";
}

}  // namespace
}  // namespace isocenter::infer::test
