// Normalisations, pools, products and attention have plans on an H100, told by cuDNN itself from the device's
// description. cuDNN compiles their engines as it plans: a driver that runs nothing is there for that.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include "fixture.hpp"
#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/passes.hpp"
#include "transformer_models.hpp"

namespace isocenter::infer::test {
namespace {

using Kind = CudnnOperation::Kind;

/// Before cuDNN's first call: it asks for the driver once. A machine with the real one keeps it.
const bool has_driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != nullptr ||
                        dlopen(ISOCENTER_DRIVER_STAND_IN, RTLD_NOW | RTLD_GLOBAL) != nullptr;

CudnnDevice& h100() {
  static const auto device = [] {
    const auto text = read_bytes(data_path("h100_hand_filled.json"));
    return CudnnDevice::described({reinterpret_cast<const char*>(text.data()), text.size()});
  }();
  return *device;
}

void expect_plan(const CudnnOperation& op, const std::string& what, bool planned = true) {
  ASSERT_TRUE(has_driver) << dlerror();
  std::string why_not;
  const auto plan = h100().plan(op, why_not);
  EXPECT_EQ(plan != nullptr, planned) << what << ": " << why_not;
}

/// What a schedule poses for each of its nodes of this kind.
template <class Operation>
std::vector<CudnnOperation> posed(Graph graph, ElementType storage) {
  optimise(graph);
  const bool narrow = is_narrow(storage);
  const Schedule s = make_schedule(
      std::move(graph),
      {.narrow = narrow, .narrow_type = narrow ? storage : ElementType::bf16, .normalises_in_place = false});
  std::vector<CudnnOperation> all;
  for (const Node& node : s.graph.nodes)
    if (std::holds_alternative<Operation>(node.operation))
      if (const auto op = cudnn_operation(s, node)) all.push_back(*op);
  return all;
}

constexpr ElementType types[] = {ElementType::f32, ElementType::bf16, ElementType::f16};

CudnnTensor channels_last(const Shape& shape, ElementType type) {
  return {shape, strides_of(shape, Layout::channels_last), type};
}
CudnnOperation instance_norm(const Shape& shape, ElementType type, const Activation& then) {
  Shape c(shape.size(), 1);
  c[1] = shape[1];
  const CudnnTensor parameter = channels_last(c, ElementType::f32);
  return {Kind::instance_norm,
          {channels_last(shape, type), parameter, parameter},
          channels_last(shape, type),
          1e-5F,
          then,
          {},
          false};
}

TEST(CudnnOperations, InstanceNormalisationWithReluIsOneGraphInTwoAndThreeDimensions) {
  const Activation relu{Function::relu, 0, 0};
  for (const ElementType type : types) {
    expect_plan(instance_norm({1, 32, 64, 64}, type, {}), std::string("2-D ") + name_of(type));
    expect_plan(instance_norm({2, 32, 16, 16, 16}, type, relu), std::string("3-D and ReLU ") + name_of(type));
  }
  expect_plan(instance_norm({1, 32, 64, 64}, ElementType::bf16, {Function::leaky_relu, 0.01F, 0}), "leaky ReLU", false);
  expect_plan(instance_norm({1, 7, 9, 5}, ElementType::f32, {}), "odd channels");
  expect_plan(instance_norm({1, 7, 9, 5}, ElementType::f32, relu), "odd channels and ReLU", false);
}

/// unet3d's and linknet3d's own, as a schedule lays them out.
TEST(CudnnOperations, PoolsOfTheNetworksHavePlansInEachType) {
  for (const ElementType type : types) {
    const auto pools = posed<Pool>(load(fixtures[1]), type);
    EXPECT_FALSE(pools.empty());
    for (const auto& pool : pools) expect_plan(pool, "linknet3d's");
  }
}

CudnnOperation pool(Pool::Kind kind, std::size_t axes, bool count_pads, ElementType type) {
  CudnnOperation op;
  op.kind = Kind::pool;
  op.pool = {kind, {Shape(axes, 3), Shape(axes, 2), Shape(axes, 1), Shape(axes, 1), Shape(axes, 0)}, count_pads};
  Shape from{2, 64}, to{2, 64};
  for (std::size_t k = 0; k < axes; ++k) {
    from.push_back(16);
    to.push_back(8);
  }
  op.inputs = {channels_last(from, type)};
  op.output = channels_last(to, type);
  return op;
}

TEST(CudnnOperations, MaximaAndMeansHavePlansInTwoAndThreeDimensions) {
  for (const std::size_t axes : {2U, 3U})
    for (const ElementType type : {ElementType::f32, ElementType::bf16}) {
      expect_plan(pool(Pool::Kind::max, axes, false, type), "maximum");
      expect_plan(pool(Pool::Kind::average, axes, false, type), "mean without pads");
      expect_plan(pool(Pool::Kind::average, axes, true, type), "mean with pads");
    }
}

TEST(CudnnOperations, LayerNormsThatWereFoundHavePlansInEachType) {
  for (const ElementType type : types) {
    Graph graph = graph_of(layer_norm({2, 343, 48}, false));
    fuse_layer_norms(graph);
    auto norms = posed<Normalisation>(std::move(graph), ElementType::f32);
    ASSERT_EQ(norms.size(), 1U);
    EXPECT_EQ(norms[0].kind, Kind::layer_norm);
    norms[0].inputs[0].type = norms[0].output.type = type;
    expect_plan(norms[0], name_of(type));
  }
}

/// Rows that go into a concatenation lie as far apart as those of the whole: cuDNN would write one behind the other. A
/// group norm of one group over one pixel is a layer norm over the channels.
TEST(CudnnOperations, ALayerNormThatWritesIntoAConcatenationIsCudnnsForOneRowAlone) {
  const auto norms = [](std::int64_t rows, bool concatenated) {
    const auto integer = [](const std::string& name) {
      return tiny::field(5, tiny::field(1, name) + tiny::number(3, 1) + tiny::number(20, 2));
    };
    const std::string by_channel = tiny::floats(std::vector<float>(8, 1.0F));
    const std::string norm =
        tiny::node("GroupNormalization", {"x", "s", "b"}, concatenated ? "n" : "y", integer("num_groups"));
    const std::string concat = concatenated ? tiny::node("Concat", {"n", "x"}, "y", integer("axis")) : "";
    const std::int64_t channels = concatenated ? 16 : 8;
    return posed<Normalisation>(
               graph_of(tiny::model(norm + concat + tiny::initialiser("s", {8}, by_channel) +
                                        tiny::initialiser("b", {8}, by_channel) + tiny::port(11, "x", {rows, 8, 1, 1}) +
                                        tiny::port(12, "y", {rows, channels, 1, 1}),
                                    21)),
               ElementType::f32)
        .size();
  };
  EXPECT_EQ(norms(5, false), 1U);
  EXPECT_EQ(norms(1, true), 1U);
  EXPECT_EQ(norms(5, true), 0U);
}

/// Windows of 7 x 7 x 7 and of 49 tokens, heads of 16 and 32: SwinUNETR's. 216 tokens and heads of 64: UNETR's at 96.
TEST(CudnnOperations, AttentionThatWasFoundHasAPlanIn16BitsWithAndWithoutABias) {
  for (const ElementType type : {ElementType::bf16, ElementType::f16})
    for (const std::string& file : {window_attention(8, 343, 3, 16, 0), window_attention(8, 49, 2, 32, 4),
                                    scaled_attention(1, 216, 12, 64, false)}) {
      Graph graph = graph_of(file);
      fuse_attention(graph);
      const auto found = posed<Attention>(std::move(graph), type);
      ASSERT_EQ(found.size(), 1U);
      EXPECT_EQ(found[0].kind, Kind::attention);
      expect_plan(found[0], name_of(type));
    }
}

/// In float32 cuDNN has them as TF32 alone, which is not taken where it was not asked for.
TEST(CudnnOperations, ProductsOfTwoComputedMatricesHavePlans) {
  const auto product = [](ElementType type, ElementType result, bool tf32) {
    const auto matrix = [](const Shape& s, ElementType t) { return CudnnTensor{s, dense_strides(s), t}; };
    return CudnnOperation{Kind::product,
                          {matrix({24, 49, 16}, type), {{24, 16, 49}, {16 * 49, 1, 16}, type}},
                          matrix({24, 49, 49}, result),
                          0,
                          {},
                          {},
                          tf32};
  };
  for (const ElementType type : {ElementType::bf16, ElementType::f16})
    for (const ElementType result : {type, ElementType::f32}) expect_plan(product(type, result, false), name_of(type));
  expect_plan(product(ElementType::f32, ElementType::f32, true), "TF32");
  expect_plan(product(ElementType::f32, ElementType::f32, false), "exact float32", false);
}

}  // namespace
}  // namespace isocenter::infer::test
