// Attention and layer norms that are found in a graph compute what the graph did: on the CPU, by the kernels that a
// device without a library runs, and in the reference's plain loops.
#include <gmock/gmock.h>

#include "infer/passes.hpp"
#include "transformer_models.hpp"

namespace isocenter::infer::test {
namespace {

std::vector<float> result(Graph graph, const CpuOptions& options) {
  const auto x = spread_numbers(element_count(graph.value(graph.inputs[0]).shape), 9);
  return Runner(plan_cpu(std::move(graph), options)).run(x);
}

void expect_same(const Graph& fused, const std::string& file) {
  const std::vector<float> expected = result(graph_of(file), {.reference = true});
  EXPECT_LT(relative_error(result(fused, {}), expected), 1e-6);
  EXPECT_LT(relative_error(result(fused, {.library = false}), expected), 1e-6);
  EXPECT_LT(relative_error(result(fused, {.reference = true}), expected), 1e-6);
}

/// The attention that is found, its product of the batch and heads as given.
void expect_attention(const std::string& file, const Shape& scores, bool bias) {
  Graph graph = graph_of(file);
  fuse_attention(graph);
  ASSERT_EQ(count_of<Attention>(graph), 1);
  EXPECT_EQ(count_of<Softmax>(graph), 0);
  for (const Node& node : graph.nodes) {
    const auto* attention = std::get_if<Attention>(&node.operation);
    if (attention == nullptr) continue;
    const Shape &q = graph.value(node.inputs[0]).shape, &k = graph.value(node.inputs[1]).shape;
    EXPECT_THAT((Shape{q[0], q[1], q[2], k[2]}), testing::ElementsAreArray(scores));
    EXPECT_EQ(attention->bias, bias);
  }
  expect_same(graph, file);
}

TEST(AttentionPass, FindsWhatTorchExportsWithTheScaleBehindTheProduct) {
  expect_attention(scaled_attention(2, 5, 3, 4, false), {2, 3, 5, 5}, false);
  expect_attention(scaled_attention(2, 5, 3, 4, true), {2, 3, 5, 5}, true);
}

TEST(AttentionPass, FindsShiftedWindowsAndJoinsTheirMaskWithTheHeadsBias) {
  expect_attention(window_attention(6, 5, 3, 4, 0), {6, 3, 5, 5}, true);
  expect_attention(window_attention(6, 5, 3, 4, 3), {2, 9, 5, 5}, true);
  expect_attention(window_attention(3, 5, 2, 4, 3), {1, 6, 5, 5}, true);
}

TEST(AttentionPass, FindsOnnxsOwnOperator) {
  using namespace tiny;
  expect_attention(between(projections(2, 5, 3, 4) + node("Attention", {"q", "k", "v"}, "o") + merged_heads(2, 5, 12),
                           {2, 5, 12}, {2, 5, 12}, 23),
                   {2, 3, 5, 5}, false);
}

TEST(AttentionPass, LeavesWhatIsNoAttention) {
  using namespace tiny;
  const std::string start = projections(1, 5, 2, 4) + scalar("s", 0.4F) + reals("b", {5, 5}, 4) +
                            node("Transpose", {"k"}, "k_turned", ints("perm", {0, 1, 3, 2})) +
                            node("MatMul", {"q", "k_turned"}, "scores");
  const auto left = [](const std::string& nodes, std::int64_t tokens = 5) {
    const std::string file = between(nodes, {1, tokens, 8}, {1, 2, tokens, 4});
    Graph graph = graph_of(file);
    fuse_attention(graph);
    EXPECT_EQ(count_of<Attention>(graph), 0);
    expect_same(graph, file);
  };
  left(start + node("Add", {"scores", "b"}, "a") + node("Mul", {"a", "s"}, "c") + node("Softmax", {"c"}, "w") +
       node("MatMul", {"w", "v"}, "y"));  // the factor is the bias' too
  left(start + node("Softmax", {"scores"}, "w") + node("MatMul", {"w", "v"}, "o") +
       node("ReduceMax", {"w"}, "top", ints("axes", {3})) + node("Add", {"o", "top"}, "y"));  // the weights are read
  left(projections(1, 6, 2, 4) + node("Transpose", {"k"}, "k_turned", ints("perm", {0, 1, 3, 2})) +
           node("MatMul", {"q", "k_turned"}, "scores") + reshape("scores", "c", {1, 2, 12, 3}) +
           node("Softmax", {"c"}, "d") + reshape("d", "w", {1, 2, 6, 6}) + node("MatMul", {"w", "v"}, "y"),
       6);  // the softmax is of half a row
  left(start + node("Relu", {"scores"}, "c") + node("Softmax", {"c"}, "w") + node("MatMul", {"w", "v"}, "y"));
}

TEST(LayerNormPass, FindsTheOperatorAndWhatTorchSpellsOut) {
  for (const bool spelled_out : {false, true}) {
    const std::string file = layer_norm({2, 7, 12}, spelled_out);
    Graph graph = graph_of(file);
    fuse_layer_norms(graph);
    EXPECT_EQ(count_of<Normalisation>(graph), 1) << spelled_out;
    EXPECT_EQ(count_of<Reduction>(graph), 0) << spelled_out;
    expect_same(graph, file);
  }
}

}  // namespace
}  // namespace isocenter::infer::test
