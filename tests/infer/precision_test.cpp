// bfloat16 on the CPU: how far results move, that threads move none, and that what cannot be is refused.
#include <gmock/gmock.h>

#include "fixture.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/schedule.hpp"
#include "infer/storage.hpp"
#include "thorax_labels.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const CpuOptions narrow{.precision = Precision::bfloat16};

class Bfloat16 : public ::testing::TestWithParam<Fixture> {
 protected:
  void SetUp() override {
    if (!onednn_has_bfloat16()) GTEST_SKIP() << "this processor has no bfloat16";
  }
  std::vector<float> x = read_floats(std::string(GetParam().name) + ".input.f32");
  std::vector<float> expected = read_floats(std::string(GetParam().name) + ".output.f32");
};
INSTANTIATE_TEST_SUITE_P(Fixtures, Bfloat16, ::testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

/// A factor is rounded by at most 2^-9 of itself; the errors of independent factors grow with the root of the layers.
TEST_P(Bfloat16, StaysWithinTwoPercentOfOnnxRuntimesFloat32) {
  Runner runner(plan_cpu(load(GetParam()), narrow));
  const double error = relative_error(runner.run(x), expected);
  EXPECT_LT(error, 0.02);
  EXPECT_GT(error, 1e-5) << "that is float32";
  EXPECT_EQ(runner.executor().summary().precision, "bfloat16, summed in float32");
}

TEST_P(Bfloat16, RunsOnKernelsOfOursAloneToo) {
  Runner runner(plan_cpu(load(GetParam()), {.precision = Precision::bfloat16, .library = false}));
  EXPECT_LT(relative_error(runner.run(x), expected), 0.02);
}

TEST_P(Bfloat16, GivesTheSameBitsForEveryThreadCount) {
  const auto once = Runner(plan_cpu(load(GetParam()), {.precision = Precision::bfloat16, .threads = 1})).run(x);
  for (const int threads : {2, 3, 4})
    EXPECT_EQ(Runner(plan_cpu(load(GetParam()), {.precision = Precision::bfloat16, .threads = threads})).run(x), once)
        << threads << " threads";
}

TEST_P(Bfloat16, NeedsLessMemoryForWeightsAndArena) {
  const auto wide = plan_cpu(load(GetParam()), {}), half = plan_cpu(load(GetParam()), narrow);
  EXPECT_LT(half->summary().arena_bytes, wide->summary().arena_bytes * 3 / 4);  // inputs and outputs stay float32
  EXPECT_LT(half->summary().constant_bytes, wide->summary().constant_bytes * 2 / 3);
}

/// IEEE 754's rounding to nearest, ties to even, on bfloat16's 8 bits of precision.
TEST(Storage, Bfloat16RoundsToNearestEvenAndKeepsWhatIsNotANumber) {
  using isocenter::detail::bfloat16;
  using isocenter::detail::Pack8;
  using isocenter::detail::Scalar;
  const float in[8] = {1.0F, 1.00390625F, 1.01171875F, -1.005F, 3.4e38F, -INFINITY, NAN, 1e-40F};
  const float out[8] = {1.0F, 1.0F, 1.015625F, -1.0078125F, INFINITY, -INFINITY, NAN, 0x1p-133F};
  bfloat16 packed[8], single[8];
  isocenter::detail::float8 lanes;
  std::memcpy(&lanes, in, sizeof lanes);
  store(packed, lanes);
  const isocenter::detail::float8 wide = load(Pack8{}, packed);
  for (int i = 0; i < 8; ++i) {
    store(&single[i], in[i]);
    EXPECT_EQ(single[i].bits, packed[i].bits) << i;
    if (std::isnan(out[i])) {
      EXPECT_TRUE(std::isnan(wide[i]) && std::isnan(load(Scalar{}, &single[i])));
    } else {
      EXPECT_EQ(wide[i], out[i]) << i;
    }
  }
}

TEST(Storage, InputsOutputsAndWhatOnlyMapsReadStayFloat32) {
  const Schedule s =
      make_schedule(load(fixtures[2]), {.narrow = true});  // a DnCNN: convolutions, then the input minus their result
  for (const auto* ends : {&s.graph.inputs, &s.graph.outputs})
    for (const ValueId id : *ends) EXPECT_EQ(s.placement(id).storage, ElementType::f32);
  int narrow_values = 0, convolutions = 0;
  for (const Node& node : s.graph.nodes) {
    if (std::holds_alternative<Convolution>(node.operation)) {
      ++convolutions;
      EXPECT_EQ(s.placement(node.inputs[0]).storage, ElementType::bf16) << node.name;
    }
    const auto* map = std::get_if<Map>(&node.operation);
    if (map == nullptr || map->function != Function::sub) continue;
    for (const ValueId id : node.inputs) EXPECT_EQ(s.placement(id).storage, ElementType::f32);
  }
  for (const Node& node : s.graph.nodes) narrow_values += s.placement(node.output).storage == ElementType::bf16 ? 1 : 0;
  EXPECT_EQ(convolutions, 5);
  EXPECT_GE(narrow_values, 5);
}

/// One product of 300 columns in 2,000 terms: a library that shares the terms among threads gives other bits.
TEST(Precision, MatrixProductsGiveTheSameBitsForEveryThreadCountInBothPrecisions) {
  using namespace tiny;
  constexpr std::size_t k = 2000, n = 300;
  std::vector<float> weights(k * n), x(3 * k);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>((i * 7919) % 1009) / 1009 - 0.5F;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 104729) % 997) / 997 - 0.5F;
  const std::string bytes = model(node("MatMul", {"x", "w"}, "y") + initialiser("w", {k, n}, floats(weights)) +
                                  port(11, "x", {3, k}) + port(12, "y", {3, n}));
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "product", "");
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    if (precision == Precision::bfloat16 && !onednn_has_bfloat16()) continue;
    const auto run = [&](int threads) {
      return Runner(plan_cpu(lower(parsed, {}), {.precision = precision, .threads = threads})).run(x);
    };
    const auto once = run(1);
    double error = 0, norm = 0;
    for (std::size_t row = 0; row < 3; ++row)
      for (std::size_t column = 0; column < n; ++column) {
        double sum = 0;
        for (std::size_t i = 0; i < k; ++i)
          sum += static_cast<double>(x[row * k + i]) * static_cast<double>(weights[i * n + column]);
        error += std::pow(static_cast<double>(once[row * n + column]) - sum, 2);
        norm += sum * sum;
      }
    EXPECT_LT(std::sqrt(error / norm), precision == Precision::float32 ? 2e-6 : 0.01);
    for (const int threads : {2, 3, 4}) EXPECT_EQ(run(threads), once) << threads << " threads";
  }
}

/// x (x Wk)^T x Wv, linear attention: no factor of its products is constant, and x is in float32.
TEST(Precision, ProductsWithoutAConstantFactorRunInBothPrecisions) {
  using namespace tiny;
  constexpr std::size_t tokens = 20, width = 32;
  std::vector<float> x(tokens * width);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 104729) % 997) / 997 - 0.5F;
  std::vector<std::vector<float>> weights(2, std::vector<float>(width * width));
  for (std::size_t m = 0; m < 2; ++m)
    for (std::size_t i = 0; i < weights[m].size(); ++i)
      weights[m][i] = static_cast<float>((i * 7919 + m * 31) % 1009) / 1009 - 0.4F;
  std::string graph;
  const std::string names[] = {"k", "v"};
  for (std::size_t m = 0; m < 2; ++m)
    graph += node("MatMul", {"x", "w" + names[m]}, names[m]) +
             initialiser("w" + names[m], {width, width}, floats(weights[m]));
  graph += node("Transpose", {"k"}, "kt", ints("perm", {1, 0})) + node("MatMul", {"x", "kt"}, "scores") +
           node("MatMul", {"scores", "v"}, "y") + port(11, "x", {tokens, width}) + port(12, "y", {tokens, width});
  const std::string bytes = model(graph);
  const OnnxModel parsed =
      parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "attention", "");
  const auto product = [](const std::vector<double>& a, const std::vector<double>& b, std::size_t terms,
                          std::size_t columns, bool turned) {
    std::vector<double> c(a.size() / terms * columns);
    for (std::size_t i = 0; i < c.size(); ++i)
      for (std::size_t t = 0; t < terms; ++t)
        c[i] += a[i / columns * terms + t] * (turned ? b[i % columns * terms + t] : b[t * columns + i % columns]);
    return c;
  };
  const auto wide = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  std::vector<std::vector<double>> kv;
  for (const auto& w : weights) kv.push_back(product(wide(x), wide(w), width, width, false));
  const std::vector<double> exact = product(product(wide(x), kv[0], width, tokens, true), kv[1], tokens, width, false);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    if (precision == Precision::bfloat16 && !onednn_has_bfloat16()) continue;
    for (const bool library : {true, false}) {
      Runner runner(plan_cpu(lower(parsed, {}), {.precision = precision, .library = library}));
      const auto y = runner.run(x);
      EXPECT_LT(relative_error(y, std::vector<float>(exact.begin(), exact.end())),
                precision == Precision::float32 ? 2e-6 : 0.02);
    }
  }
}

TEST(Precision, Tf32IsRefusedOnTheCpu) {
  try {
    plan_cpu(load(fixtures[2]), {.precision = Precision::tf32});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("precision = tf32"), HasSubstr("float32 or bfloat16")));
  }
}

TEST(Precision, TheThoraxNetworksDiceIsTheSameInBfloat16WithinAFiveHundredth) {
  if (!onednn_has_bfloat16()) GTEST_SKIP() << "this processor has no bfloat16";
  SegmentVolume::Params params;
  params.model = thorax_model();
  const ThoraxLabels wide = label_chest(100001, params);
  params.precision = NetworkPrecision::bfloat16;
  const ThoraxLabels narrowed = label_chest(100001, params);
  EXPECT_NE(wide.found, narrowed.found) << "both ran in the same precision";
  for (int label = 0; label < 5; ++label) {
    EXPECT_NEAR(dice(wide, label), dice(narrowed, label), 0.002) << "label " << label;
    EXPECT_GT(dice(wide, label), label < 3 ? 0.9 : 0.6) << "label " << label;
  }
}

}  // namespace
}  // namespace isocenter::infer::test
