// Normalisations, pools, products and attention in the CUDA executor: as cuDNN's, which the reference stands in for,
// and as kernels of ours where it plans none. Both agree with the network in plain loops.
#include <gmock/gmock.h>

#include "planned_network.hpp"
#include "transformer_models.hpp"

namespace isocenter::infer::test {
namespace {

using Kind = CudnnOperation::Kind;

std::vector<float> input_of(const Graph& graph) {
  return spread_numbers(element_count(graph.value(graph.inputs[0]).shape), 9);
}

/// The kinds that were posed, in their order.
std::vector<Kind> expect_agreement(const Graph& graph, Precision precision, double bound) {
  const std::vector<float> x = input_of(graph), expected = Runner(plan_cpu(graph, {.reference = true})).run(x);
  std::vector<Kind> kinds;
  for (const bool operations : {true, false}) {
    const auto p = plan(graph, precision, {}, operations);
    EXPECT_LT(relative_error(Runner(std::move(p->executor)).run(x), expected), bound)
        << network_precisions[static_cast<std::size_t>(precision)] << (operations ? "" : ", kernels of ours");
    for (const auto& op : p->library->posed) kinds.push_back(op.kind);
  }
  return kinds;
}

TEST(CudaOperations, AttentionIsTheLibrarysIn16BitsAndItsProductsInFloat32) {
  for (const std::string& file :
       {window_attention(6, 5, 3, 8, 3), window_attention(4, 5, 3, 8, 0), scaled_attention(2, 6, 2, 8, true)})
    for (const auto& [precision, bound] : bounds) {
      const bool narrow = precision != Precision::float32;
      const std::vector<Kind> expected(narrow ? 1 : 2, narrow ? Kind::attention : Kind::product);
      EXPECT_EQ(expect_agreement(graph_of(file), precision, bound), expected);
    }
}

TEST(CudaOperations, LayerNormsAreTheLibrarysHoweverTheyAreSpelled) {
  for (const bool spelled_out : {false, true})
    for (const auto& [precision, bound] : bounds)
      EXPECT_THAT(expect_agreement(graph_of(layer_norm({2, 7, 12}, spelled_out)), precision, bound),
                  testing::ElementsAre(Kind::layer_norm));
}

/// Odd extents, pads, a last window that was rounded up; convolutions before and behind, so that 16 bits lie between.
std::string pooled(const std::string& pool, const std::string& attributes, const std::string& activation) {
  using namespace tiny;
  return between(reals("w", {6, 3, 3, 3}, 1) + reals("v", {2, 6, 1, 1}, 2) + reals("scale", {6}, 3) +
                     reals("shift", {6}, 4) + node("Conv", {"x", "w"}, "a", ints("pads", {1, 1, 1, 1})) +
                     node("InstanceNormalization", {"a", "scale", "shift"}, "b") + node(activation, {"b"}, "c") +
                     node(pool, {"c"}, "d", ints("kernel_shape", {3, 3}) + ints("strides", {2, 2}) + attributes) +
                     node("Conv", {"d", "v"}, "y"),
                 {2, 3, 11, 8}, {2, 2, 6, 3});
}
std::string flag(const std::string& name, std::uint64_t v) {
  return tiny::field(5, tiny::field(1, name) + tiny::number(20, 2) + tiny::number(3, v));
}

TEST(CudaOperations, InstanceNormsAndPoolsAreTheLibrarys) {
  const std::string pads = tiny::ints("pads", {1, 0, 1, 0});
  for (const auto& [precision, bound] : bounds) {
    EXPECT_THAT(expect_agreement(graph_of(pooled("MaxPool", pads, "Relu")), precision, bound),
                testing::ElementsAre(Kind::instance_norm, Kind::pool));
    EXPECT_THAT(expect_agreement(graph_of(pooled("AveragePool", pads, "Relu")), precision, bound),
                testing::ElementsAre(Kind::instance_norm, Kind::pool));
    EXPECT_THAT(expect_agreement(graph_of(pooled("AveragePool", pads + flag("count_include_pad", 1), "Relu")),
                                 precision, bound),
                testing::ElementsAre(Kind::instance_norm, Kind::pool));
  }
}

TEST(CudaOperations, AMeanWhoseLastWindowsAreRoundedUpAndCountPadsIsOurs) {
  const std::string rounded = flag("ceil_mode", 1) + flag("count_include_pad", 1) + tiny::ints("pads", {0, 0, 0, 0});
  const auto kinds = expect_agreement(graph_of(pooled("AveragePool", rounded, "Relu")), Precision::bfloat16, 0.02);
  EXPECT_THAT(kinds, testing::ElementsAre(Kind::instance_norm));
}

/// A batch of three and the two that are left over.
TEST(CudaOperations, ThePlanOfTheRestTakesTheWeightsOfTheBatchAndOtherWeightsAreUploaded) {
  const auto batch_of = [](std::int64_t items, int seed) {
    const std::string file =
        between(reals("w", {4, 3, 3, 3}, seed) + tiny::node("Conv", {"x", "w"}, "a") + tiny::node("Relu", {"a"}, "y"),
                {-1, 3, 6, 7}, {-1, 4, 4, 5});
    LowerOptions options;
    options.input_shapes["x"] = {items, 3, 6, 7};
    return lower(parse_onnx({reinterpret_cast<const std::byte*>(file.data()), file.size()}, "batch", ""), options);
  };
  UploadedWeights weights;
  const auto library = std::make_shared<HostConvolutions>(HostConvolutions::Refuses{});
  const auto batch = plan_with(library, batch_of(3, 1), Precision::float32, &weights);
  EXPECT_FALSE(weights.shared);
  const auto rest = plan_with(library, batch_of(2, 1), Precision::float32, &weights);
  EXPECT_TRUE(weights.shared);
  EXPECT_TRUE(rest->constants.empty());
  EXPECT_EQ(rest->executor->summary().constants, batch->executor->summary().constants);
  const std::vector<float> x = spread_numbers(2 * 3 * 6 * 7, 9),
                           expected = Runner(plan_cpu(batch_of(2, 1), {.reference = true})).run(x);
  EXPECT_LT(relative_error(Runner(std::move(rest->executor)).run(x), expected), 1e-5);
  const auto other = plan_with(library, batch_of(2, 5), Precision::float32, &weights);
  EXPECT_FALSE(weights.shared);
}

TEST(CudaOperations, TheReportNamesHowManyAreTheLibrarys) {
  const auto p = plan(graph_of(pooled("MaxPool", tiny::ints("pads", {1, 0, 1, 0}), "Relu")), Precision::bfloat16);
  EXPECT_EQ(p->executor->summary().engine, "a stand-in: convolution 2, normalisation 1, pool 1");
}

}  // namespace
}  // namespace isocenter::infer::test
