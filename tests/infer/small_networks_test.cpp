// Small networks in every engine, against sums written out here and the C library's functions: what is fused into a
// convolution, windows whose axes differ, and outputs that later nodes read on.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "fixture.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;

std::string real(const std::string& name, float value) {
  return field(5, field(1, name) + varint(2 << 3 | 5) + floats({value}) + number(20, 1));
}
OnnxModel parse(const std::string& bytes) {
  return parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "small", "");
}
const std::vector<CpuOptions> engines = {
    {}, {.library = false}, {.reference = true}, {.optimise = false}, {.optimise = false, .library = false}};

std::vector<float> two_channels() {
  std::vector<float> x;
  for (int i = 0; i < 2 * 5 * 6; ++i) x.push_back(static_cast<float>((i * 7) % 23) / 4 - 2.5F);
  return x;
}

struct Case {
  const char* type;
  std::vector<std::string> more;  ///< inputs after the first
  std::string attribute;
  std::function<double(double)> exact;
};

/// Definitions: ONNX operators LeakyRelu, Elu, Clip, Sigmoid.
const Case cases[] = {
    {"Relu", {}, "", [](double v) { return std::max(v, 0.0); }},
    {"LeakyRelu", {}, real("alpha", 0.3F), [](double v) { return v < 0 ? 0.3 * v : v; }},
    {"LeakyRelu", {}, "", [](double v) { return v < 0 ? 0.01 * v : v; }},
    {"Elu", {}, real("alpha", 1.7F), [](double v) { return v < 0 ? 1.7 * std::expm1(v) : v; }},
    {"Sigmoid", {}, "", [](double v) { return 1 / (1 + std::exp(-v)); }},
    {"Tanh", {}, "", [](double v) { return std::tanh(v); }},
    {"Clip", {"low", "high"}, "", [](double v) { return std::clamp(v, -0.75, 1.25); }},
};

TEST(SmallNetworks, AnActivationAfterAConvolutionIsItsOwnFunctionInEveryEngine) {
  const std::vector<float> x = two_channels();
  for (const Case& c : cases) {
    std::vector<std::string> in = {"c"};
    in.insert(in.end(), c.more.begin(), c.more.end());
    const OnnxModel parsed = parse(
        model(node("Conv", {"x", "w", "b"}, "c") + node(c.type, in, "y", c.attribute) +
              initialiser("w", {2, 2, 1, 1}, floats({1, -0.5F, 0.25F, 2})) + initialiser("b", {2}, floats({0.5F, -1})) +
              initialiser("low", {}, floats({-0.75F})) + initialiser("high", {}, floats({1.25F})) + standard_ports()));
    for (const CpuOptions& engine : engines) {
      Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
      const auto got = runner.run(x);
      for (std::size_t i = 0; i < 30; ++i) {
        const double a = static_cast<double>(x[i]), b = static_cast<double>(x[30 + i]);
        EXPECT_NEAR(static_cast<double>(got[i]), c.exact(a - 0.5 * b + 0.5), 2e-6) << c.type << " of channel 0";
        EXPECT_NEAR(static_cast<double>(got[30 + i]), c.exact(0.25 * a + 2 * b - 1), 4e-6) << c.type << " of channel 1";
      }
    }
  }
}

/// ONNX operator BatchNormalization: (v - mean) / sqrt(variance + epsilon) * scale + shift.
TEST(SmallNetworks, ABatchNormalisationKeepsTheBiasOfTheConvolutionBeforeIt) {
  const std::vector<float> x = two_channels();
  const OnnxModel parsed = parse(
      model(node("Conv", {"x", "w", "b"}, "c") + node("BatchNormalization", {"c", "s", "t", "m", "v"}, "y") +
            initialiser("w", {2, 2, 1, 1}, floats({1, -0.5F, 0.25F, 2})) + initialiser("b", {2}, floats({5, -3})) +
            initialiser("s", {2}, floats({2, -1})) + initialiser("t", {2}, floats({0.5F, 0.25F})) +
            initialiser("m", {2}, floats({0.75F, -2})) + initialiser("v", {2}, floats({4, 0.5F})) + standard_ports()));
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    const auto got = runner.run(x);
    for (std::size_t i = 0; i < 30; ++i) {
      const double a = static_cast<double>(x[i]), b = static_cast<double>(x[30 + i]);
      const double first = (a - 0.5 * b + 5 - 0.75) / std::sqrt(4 + 1e-5) * 2 + 0.5;
      const double second = (0.25 * a + 2 * b - 3 + 2) / std::sqrt(0.5 + 1e-5) * -1 + 0.25;
      EXPECT_NEAR(static_cast<double>(got[i]), first, 1e-5) << i;
      EXPECT_NEAR(static_cast<double>(got[30 + i]), second, 1e-5) << i;
    }
  }
}

/// Windows of 2 x 2 every 2 rows and 3 columns, one row and one column of padding before. Where all is negative a
/// border of zeros would win.
TEST(SmallNetworks, MaximaAreOfTheWindowAlongEachAxisAndNeverOfThePadding) {
  std::vector<float> x = two_channels();
  for (float& v : x) v -= 10;
  const OnnxModel parsed = parse(model(
      node("MaxPool", {"x"}, "y", ints("kernel_shape", {2, 2}) + ints("strides", {2, 3}) + ints("pads", {1, 1, 0, 0})) +
      standard_ports()));
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    ASSERT_THAT(runner.executor().outputs()[0].shape, ::testing::ElementsAre(1, 2, 3, 2));
    const auto got = runner.run(x);
    for (int c = 0; c < 2; ++c)
      for (int v = 0; v < 3; ++v)
        for (int u = 0; u < 2; ++u) {
          float largest = -INFINITY;
          for (int row = std::max(0, 2 * v - 1); row < 2 * v + 1; ++row)
            for (int column = std::max(0, 3 * u - 1); column < 3 * u + 1; ++column)
              largest = std::max(largest, x[static_cast<std::size_t>((c * 5 + row) * 6 + column)]);
          EXPECT_EQ(got[static_cast<std::size_t>((c * 3 + v) * 2 + u)], largest) << c << ", " << v << ", " << u;
        }
  }
}

/// Each input voxel adds its kernel at (2 row - 1, 3 column); the last column is cut off.
TEST(SmallNetworks, ATransposedConvolutionStepsAndPadsEachAxisAsStated) {
  const std::vector<float> x = two_channels();
  std::vector<float> weights;
  for (int i = 0; i < 12; ++i) weights.push_back(static_cast<float>((i * 5) % 7) - 2.5F);
  const OnnxModel parsed =
      parse(model(node("ConvTranspose", {"x", "w", "b"}, "y", ints("strides", {2, 3}) + ints("pads", {1, 0, 0, 1})) +
                  initialiser("w", {2, 1, 3, 2}, floats(weights)) + initialiser("b", {1}, floats({0.5F})) +
                  port(11, "x", {1, 2, -1, -1}) + port(12, "y", {1, 1, -1, -1})));
  std::vector<double> sum(10 * 16, 0.5);
  for (int c = 0; c < 2; ++c)
    for (int row = 0; row < 5; ++row)
      for (int column = 0; column < 6; ++column)
        for (int j = 0; j < 3; ++j)
          for (int i = 0; i < 2; ++i) {
            const int v = 2 * row + j - 1, u = 3 * column + i;
            if (v < 0 || v >= 10 || u >= 16) continue;
            sum[static_cast<std::size_t>(v * 16 + u)] +=
                static_cast<double>(x[static_cast<std::size_t>((c * 5 + row) * 6 + column)]) *
                static_cast<double>(weights[static_cast<std::size_t>((c * 3 + j) * 2 + i)]);
          }
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    ASSERT_THAT(runner.executor().outputs()[0].shape, ::testing::ElementsAre(1, 1, 10, 16));
    const auto got = runner.run(x);
    for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(static_cast<double>(got[i]), sum[i], 1e-5) << i;
  }
}

TEST(SmallNetworks, AnActivationFollowsTheSumOfAConvolutionAndItsResidual) {
  const std::vector<float> x = two_channels();
  const OnnxModel parsed = parse(model(
      node("Conv", {"x", "w"}, "c") + node("Neg", {"x"}, "r") + node("Add", {"c", "r"}, "s") +
      node("Relu", {"s"}, "y") + initialiser("w", {2, 2, 1, 1}, floats({1.5F, -0.5F, 0.25F, 3})) + standard_ports()));
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    const auto got = runner.run(x);
    for (std::size_t i = 0; i < 30; ++i) {
      EXPECT_NEAR(got[i], std::max(0.0F, 0.5F * x[i] - 0.5F * x[30 + i]), 4e-6F) << i;
      EXPECT_NEAR(got[30 + i], std::max(0.0F, 0.25F * x[i] + 2 * x[30 + i]), 4e-6F) << i;
    }
  }
}

/// Two groups of one input and two outputs each, taps two rows apart, every second column.
TEST(SmallNetworks, GroupsStridesAndDilationsOfAConvolutionAreThoseOfTheModel) {
  const std::vector<float> x = two_channels();
  std::vector<float> weights;
  for (int i = 0; i < 16; ++i) weights.push_back(static_cast<float>((i * 5) % 13) - 5.5F);
  const std::string groups = field(5, field(1, "group") + number(3, 2) + number(20, 2));
  const OnnxModel parsed = parse(model(
      node("Conv", {"x", "w"}, "y", ints("strides", {1, 2}) + ints("dilations", {2, 1}) + groups) +
      initialiser("w", {4, 1, 2, 2}, floats(weights)) + port(11, "x", {1, 2, -1, -1}) + port(12, "y", {1, 4, 3, 3})));
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    ASSERT_THAT(runner.executor().outputs()[0].shape, ::testing::ElementsAre(1, 4, 3, 3));
    const auto got = runner.run(x);
    for (int c = 0; c < 4; ++c)
      for (int v = 0; v < 3; ++v)
        for (int u = 0; u < 3; ++u) {
          double sum = 0;
          for (int j = 0; j < 2; ++j)
            for (int i = 0; i < 2; ++i)
              sum += static_cast<double>(weights[static_cast<std::size_t>((c * 2 + j) * 2 + i)]) *
                     static_cast<double>(x[static_cast<std::size_t>((c / 2 * 5 + v + 2 * j) * 6 + 2 * u + i)]);
          EXPECT_NEAR(static_cast<double>(got[static_cast<std::size_t>((c * 3 + v) * 3 + u)]), sum, 1e-5)
              << c << ", " << v << ", " << u;
        }
  }
}

TEST(SmallNetworks, AnOutputThatLaterNodesReadStaysAsItWas) {
  const std::vector<float> x = two_channels();
  const OnnxModel parsed =
      parse(model(node("Relu", {"x"}, "a") + node("Neg", {"a"}, "b") + node("Exp", {"b"}, "c") +
                  node("Add", {"c", "c"}, "y") + standard_ports() + port(12, "a", {1, 2, -1, -1})));
  for (const CpuOptions& engine : engines) {
    Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 2, 5, 6}}}}), engine));
    const auto y = runner.run(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(runner.output(1)[i], std::max(x[i], 0.0F)) << i;
      EXPECT_NEAR(y[i], 2 * std::exp(-std::max(x[i], 0.0F)), 1e-6F) << i;
    }
  }
}

}  // namespace
}  // namespace isocenter::infer::test
