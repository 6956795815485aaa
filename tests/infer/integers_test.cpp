// int8 on the CPU beyond convolutions with ranges: matrix products, and models that come quantised. The truth is
// arithmetic in float64 here, or the operators as they say in plain loops, which ONNX's own node tests hold.
#include "infer/integers.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "fixture.hpp"
#include "infer/calibration.hpp"
#include "infer/onednn_steps.hpp"
#include "infer/passes.hpp"
#include "infer/schedule.hpp"
#include "message_of.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

OnnxModel parsed(const std::string& graph) {
  const std::string text = model(graph);
  return parse_onnx({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "test.onnx", "");
}

/// Noise in [-1, 1), the same at every call.
std::vector<float> values(std::size_t count, float factor = 1.0F, std::uint32_t state = 12345) {
  std::vector<float> v(count);
  for (float& x : v) {
    state = state * 1664525U + 1013904223U;
    x = factor * (static_cast<float>(state >> 8) / 8388608.0F - 1.0F);
  }
  return v;
}
std::vector<std::int8_t> integers(std::size_t count) {
  std::vector<std::int8_t> v;
  for (const float x : values(count, 127.0F, 99)) v.push_back(static_cast<std::int8_t>(x));
  return v;
}

template <class T>
std::string raw(const std::vector<T>& v) {
  return {reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T)};
}
std::string axis(std::uint64_t value) { return field(5, field(1, "axis") + number(3, value) + number(20, 2)); }

/// A scale and a uint8 zero point, called NAME_s and NAME_z.
std::string grid(const std::string& name, float scale, std::uint8_t zero) {
  return initialiser(name + "_s", {}, floats({scale})) +
         initialiser(name + "_z", {}, raw(std::vector<std::uint8_t>{zero}), 2);
}
/// `from` on a grid, as NAME: QuantizeLinear and DequantizeLinear.
std::string on_grid(const std::string& from, const std::string& name, const std::string& by) {
  return node("QuantizeLinear", {from, by + "_s", by + "_z"}, name + "_q") +
         node("DequantizeLinear", {name + "_q", by + "_s", by + "_z"}, name);
}
/// int8 weights with a scale for each position of an axis, as NAME.
std::string stored(const std::string& name, const std::vector<std::uint64_t>& dims, std::uint64_t which,
                   const std::vector<std::int8_t>& w, const std::vector<float>& scales) {
  return initialiser(name + "_q", dims, raw(w), 3) + initialiser(name + "_s", {scales.size()}, floats(scales)) +
         node("DequantizeLinear", {name + "_q", name + "_s"}, name, axis(which));
}

class Integers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  }
  static std::unique_ptr<Executor> in_int8(const OnnxModel& m, int threads = 2) {
    return plan_cpu(lower(m, {.real_products = true}), {.precision = Precision::int8, .threads = threads});
  }
  static std::vector<float> as_they_say(const OnnxModel& m, const std::vector<float>& x) {
    return Runner(plan_cpu(lower(m, {}), {.reference = true})).run(x);
  }
  /// Nothing but values on a grid between the first quantisation and the last.
  static void expect_integers_between(const OnnxModel& m) {
    Graph graph = lower(m, {.real_products = true});
    optimise(graph);
    plan_integers(graph);
    const Schedule s = make_schedule(std::move(graph), {});
    for (std::size_t i = 0; i + 1 < s.graph.nodes.size(); ++i)
      EXPECT_FALSE(s.placement(s.graph.nodes[i].output).held.none())
          << s.graph.nodes[i].op_type << " " << i << " makes real values";
  }
  /// At most one step of the output's grid from what the operators say, and seldom one.
  static void expect_within(const std::vector<float>& got, const std::vector<float>& truth, float scale) {
    ASSERT_EQ(got.size(), truth.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], truth[i], 1.01F * scale) << i;
      different += std::fabs(got[i] - truth[i]) > 0.01F * scale ? 1U : 0U;
    }
    EXPECT_LE(different, got.size() / 50 + 1);
  }
};

OnnxModel product_model(bool transposed) {
  const std::string flag = transposed ? field(5, field(1, "transB") + number(3, 1) + number(20, 2)) : "";
  const std::vector<std::uint64_t> dims =
      transposed ? std::vector<std::uint64_t>{19, 50} : std::vector<std::uint64_t>{50, 19};
  return parsed(node("Gemm", {"x", "w", "b"}, "y", flag) + initialiser("w", dims, floats(values(950, 0.2F))) +
                initialiser("b", {19}, floats(values(19, 0.5F))) + port(11, "x", {37, 50}) + port(12, "y", {37, 19}));
}

/// Most values lie above 0, as behind a GELU: the zero point gives them the range that symmetric int8 would halve.
TEST_F(Integers, AMatrixProductWithRangesIsWithinOnePercentForEveryThreadCountAndFormOfItsWeights) {
  std::vector<float> x = values(37 * 50, 3.0F, 5);
  for (float& v : x) v = v < 0 ? 0.05F * v : v;
  for (const bool transposed : {false, true}) {
    const OnnxModel m = product_model(transposed);
    Runner wide(plan_cpu(lower(m, {}), {}));
    wide.executor().record_ranges();
    const std::vector<float> truth = wide.run(x);
    const std::string ranges = wide.executor().recorded_ranges(100);
    std::vector<float> first;
    for (const int threads : {1, 2, 3}) {
      Graph graph = lower(m, {});
      graph.metadata[calibration_key] = ranges;
      Runner narrow(plan_cpu(std::move(graph), {.precision = Precision::int8, .threads = threads}));
      EXPECT_THAT(narrow.executor().summary().precision, HasSubstr("int8 in 1 of 1 matrix products"));
      const auto got = narrow.run(x);
      if (first.empty()) first = got;
      EXPECT_EQ(got, first) << threads << " threads";
    }
    EXPECT_LT(relative_error(first, truth), 0.008);
    EXPECT_GT(relative_error(first, truth), 1e-4) << "that is no int8";
  }
}

/// float64 in the test: the border of a convolution is real 0, which is the zero point and not the stored 0.
TEST_F(Integers, AQuantisedConvolutionIsThatOfItsIntegersAtItsBorderToo) {
  const std::vector<std::int8_t> w = integers(8 * 4 * 9);
  std::vector<float> scales;
  for (int o = 0; o < 8; ++o) scales.push_back(0.002F + 0.0005F * static_cast<float>(o));
  const std::vector<float> x = values(4 * 7 * 6, 2.0F), bias = values(8, 0.3F, 4);
  const float scale_x = 0.017F, scale_y = 0.03F;
  const int zero_x = 121, zero_y = 87;
  const OnnxModel m = parsed(grid("a", scale_x, zero_x) + grid("c", scale_y, zero_y) + on_grid("x", "xr", "a") +
                             stored("w", {8, 4, 3, 3}, 0, w, scales) + initialiser("b", {8}, floats(bias)) +
                             node("Conv", {"xr", "w", "b"}, "s", ints("pads", {1, 1, 1, 1})) + on_grid("s", "y", "c") +
                             port(11, "x", {1, 4, 7, 6}) + port(12, "y", {1, 8, 7, 6}));
  const auto step = [](double v, double scale, int zero) {
    return std::clamp(std::nearbyint(v / scale) + zero, 0.0, 255.0) - zero;
  };
  std::vector<float> truth;
  for (int o = 0; o < 8; ++o)
    for (int r = 0; r < 7; ++r)
      for (int c = 0; c < 6; ++c) {
        double sum = 0;
        for (int i = 0; i < 4; ++i)
          for (int v = -1; v < 2; ++v)
            for (int u = -1; u < 2; ++u) {
              if (r + v < 0 || r + v > 6 || c + u < 0 || c + u > 5) continue;
              const double in = static_cast<double>(x[static_cast<std::size_t>((i * 7 + r + v) * 6 + c + u)]);
              sum += step(in, static_cast<double>(scale_x), zero_x) *
                     w[static_cast<std::size_t>(((o * 4 + i) * 3 + v + 1) * 3 + u + 1)];
            }
        const auto at = static_cast<std::size_t>(o);
        const double real =
            sum * static_cast<double>(scale_x) * static_cast<double>(scales[at]) + static_cast<double>(bias[at]);
        truth.push_back(static_cast<float>(step(real, static_cast<double>(scale_y), zero_y)) * scale_y);
      }
  Runner runner(in_int8(m));
  EXPECT_THAT(runner.executor().summary().precision,
              AllOf(HasSubstr("int8 in 1 of 1 convolutions"), HasSubstr("on the model's own grids")));
  const auto got = runner.run(x);
  expect_within(got, truth, scale_y);
  expect_within(as_they_say(m, x), truth, scale_y);
  for (const int threads : {1, 3}) EXPECT_EQ(Runner(in_int8(m, threads)).run(x), got) << threads << " threads";
}

/// Two convolutions, their sum, a pool, a concatenation of two grids, and a product on top.
TEST_F(Integers, AQuantisedNetworkStaysInIntegersThroughSumsPoolsAndConcatenations) {
  const std::vector<float> s8(8, 0.004F), s5(5, 0.006F);
  const std::string window = ints("kernel_shape", {2, 2}) + ints("strides", {2, 2});
  const OnnxModel m =
      parsed(grid("a", 0.016F, 128) + grid("c", 0.021F, 0) + grid("d", 0.034F, 120) + grid("e", 0.04F, 11) +
             grid("f", 0.05F, 131) + on_grid("x", "xr", "a") + stored("w", {8, 4, 3, 3}, 0, integers(288), s8) +
             stored("v", {8, 4, 1, 1}, 0, integers(32), s8) + stored("u", {96, 5}, 1, integers(480), s5) +
             node("Conv", {"xr", "w"}, "p1", ints("pads", {1, 1, 1, 1})) + node("Relu", {"p1"}, "p2") +
             on_grid("p2", "p", "c") + node("Conv", {"xr", "v"}, "r1") + on_grid("r1", "r", "d") +
             node("Add", {"p", "r"}, "t1") + node("Relu", {"t1"}, "t2") + on_grid("t2", "t", "c") +
             node("MaxPool", {"t"}, "g1", window) + on_grid("g1", "g", "c") + node("AveragePool", {"r"}, "h1", window) +
             on_grid("h1", "h", "d") + node("Concat", {"g", "h"}, "k1", axis(1)) + on_grid("k1", "k", "e") +
             initialiser("shape", {2}, raw(std::vector<std::int64_t>{4, 96}), 7) +
             node("Reshape", {"k", "shape"}, "l1") + on_grid("l1", "l", "e") + node("MatMul", {"l", "u"}, "y1") +
             on_grid("y1", "y2", "f") + initialiser("row", {5}, floats(values(5))) + node("Add", {"y2", "row"}, "y3") +
             on_grid("y3", "y", "f") + port(11, "x", {4, 4, 6, 5}) + port(12, "y", {4, 5}));
  const std::vector<float> x = values(4 * 4 * 30, 2.0F);
  expect_integers_between(m);
  Runner runner(in_int8(m));
  EXPECT_THAT(runner.executor().summary().precision,
              AllOf(HasSubstr("int8 in 2 of 2 convolutions and 1 of 1 matrix products"), Not(HasSubstr("not in"))));
  const auto got = runner.run(x);
  const auto truth = as_they_say(m, x);  // the mean of four integers is often a tie, and either neighbour is right
  for (std::size_t i = 0; i < truth.size(); ++i) EXPECT_NEAR(got[i], truth[i], 2.01F * 0.05F) << i;
  EXPECT_LT(relative_error(got, truth), 0.02);
  EXPECT_EQ(Runner(in_int8(m, 1)).run(x), got);
}

/// What is quantised becomes real numbers right among the channels of the concatenation.
TEST_F(Integers, QuantisedValuesAreConcatenatedWithRealOnes) {
  const std::vector<float> s8(8, 0.004F);
  const OnnxModel m = parsed(grid("a", 0.016F, 128) + grid("c", 0.03F, 120) + on_grid("x", "xr", "a") +
                             stored("w", {8, 4, 3, 3}, 0, integers(288), s8) + node("Sigmoid", {"x"}, "g") +
                             node("Conv", {"xr", "w"}, "p1", ints("pads", {1, 1, 1, 1})) + on_grid("p1", "p", "c") +
                             node("Concat", {"g", "p", "g"}, "k", axis(1)) + node("Relu", {"k"}, "y") +
                             port(11, "x", {2, 4, 6, 5}) + port(12, "y", {2, 16, 6, 5}));
  const std::vector<float> x = values(2 * 4 * 30, 2.0F);
  Runner runner(in_int8(m));
  EXPECT_THAT(runner.executor().summary().precision, HasSubstr("int8 in 1 of 1 convolutions"));
  expect_within(runner.run(x), as_they_say(m, x), 0.03F);
}

TEST_F(Integers, QLinearConvAndQLinearMatMulRunOnIntegers) {
  const std::vector<float> s8(8, 0.004F);
  const OnnxModel m = parsed(
      grid("a", 0.016F, 128) + grid("c", 0.021F, 90) + grid("d", 0.1F, 127) + initialiser("ws", {8}, floats(s8)) +
      initialiser("wz", {8}, std::string(8, '\0'), 3) + initialiser("w", {8, 4, 3, 3}, raw(integers(288)), 3) +
      initialiser("b", {8}, raw(std::vector<std::int32_t>{100, -900, 3000, 0, 7, 50, -20000, 1}), 6) +
      initialiser("us", {}, floats({0.005F})) + initialiser("uz", {}, std::string(1, '\0'), 3) +
      initialiser("u", {6, 7}, raw(integers(42)), 3) + node("QuantizeLinear", {"x", "a_s", "a_z"}, "q") +
      node("QLinearConv", {"q", "a_s", "a_z", "w", "ws", "wz", "c_s", "c_z", "b"}, "p", ints("pads", {1, 1, 1, 1})) +
      node("QLinearMatMul", {"p", "c_s", "c_z", "u", "us", "uz", "d_s", "d_z"}, "r") +
      node("DequantizeLinear", {"r", "d_s", "d_z"}, "y") + port(11, "x", {1, 4, 7, 6}) + port(12, "y", {1, 8, 7, 7}));
  const std::vector<float> x = values(4 * 42, 2.0F);
  Runner runner(in_int8(m));
  EXPECT_THAT(runner.executor().summary().precision,
              HasSubstr("int8 in 1 of 1 convolutions and 1 of 1 matrix products on the model's own grids"));
  expect_within(runner.run(x), as_they_say(m, x), 0.1F);
}

TEST_F(Integers, WhatStaysInRealNumbersIsNamedWithItsReason) {
  const OnnxModel m = product_model(false);
  Graph graph = lower(m, {});
  const std::string header = calibration_target(graph).header;
  graph.metadata[calibration_key] = header + "\n-3 3 0.2 the_Gemm\n";
  EXPECT_THAT(
      message_of([&] { plan_cpu(std::move(graph), {.precision = Precision::int8}); }),
      AllOf(HasSubstr("none of this network's"), HasSubstr("'the_Gemm'"), HasSubstr("would change"), HasSubstr("0.2")));
  const OnnxModel two =
      parsed(grid("a", 0.016F, 128) + on_grid("x", "xr", "a") +
             stored("w", {8, 4, 1, 1}, 0, integers(32), std::vector<float>(8, 0.01F)) +
             initialiser("v", {8, 8, 1, 1}, floats(values(64))) + node("Conv", {"xr", "w"}, "s") +
             node("Conv", {"s", "v"}, "y") + port(11, "x", {1, 4, 3, 3}) + port(12, "y", {1, 8, 3, 3}));
  EXPECT_THAT(in_int8(two)->summary().precision, AllOf(HasSubstr("int8 in 1 of 2 convolutions"),
                                                       HasSubstr("not in 'the_Conv' (its input is not quantised)")));
}

/// y = 0 * w + b where a scale is 0, which oneDNN's bias in units of the sums cannot say; scales along the inputs are
/// not those of a product either.
TEST_F(Integers, WeightsWhoseScalesAreNoneOfTheOutputChannelsStayReal) {
  const auto with = [](std::uint64_t which, const std::vector<float>& scales) {
    return parsed(grid("a", 0.016F, 128) + on_grid("x", "xr", "a") +
                  stored("w", {8, 4, 1, 1}, which, integers(32), scales) +
                  stored("v", {8, 4, 1, 1}, 0, integers(32), std::vector<float>(8, 0.01F)) +
                  initialiser("b", {8}, floats(values(8))) + node("Conv", {"xr", "w", "b"}, "s") +
                  node("Conv", {"xr", "v"}, "t") + node("Add", {"s", "t"}, "y") + port(11, "x", {1, 4, 3, 3}) +
                  port(12, "y", {1, 8, 3, 3}));
  };
  std::vector<float> pruned(8, 0.01F), infinite(8, 0.01F);
  pruned[3] = 0.0F;
  infinite[5] = std::numeric_limits<float>::infinity();
  const std::vector<float> x = values(36, 2.0F);
  for (const OnnxModel& m : {with(0, pruned), with(0, infinite), with(1, {0.01F, 0.5F, 0.002F, 0.03F})}) {
    Runner runner(in_int8(m));
    EXPECT_THAT(runner.executor().summary().precision,
                AllOf(HasSubstr("int8 in 1 of 2 convolutions"), HasSubstr("(its weights' scales are not")));
    const auto got = runner.run(x), truth = as_they_say(m, x);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_TRUE(!std::isfinite(truth[i]) || std::fabs(got[i] - truth[i]) < 1e-3F) << i;
    }
  }
}

TEST_F(Integers, WeightsThatAreNotNumbersAreNotMadeIntegers) {
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> w = values(950, 0.2F);
    w[77] = odd;
    Graph graph = lower(parsed(node("MatMul", {"x", "w"}, "y") + initialiser("w", {50, 19}, floats(w)) +
                               port(11, "x", {37, 50}) + port(12, "y", {37, 19})),
                        {});
    graph.metadata[calibration_key] = calibration_target(graph).header + "\n-3 3 0.001 the_MatMul\n";
    EXPECT_THAT(message_of([&] { plan_cpu(std::move(graph), {.precision = Precision::int8}); }),
                AllOf(HasSubstr("none of this network's"), HasSubstr("'the_MatMul'")));
  }
}

TEST_F(Integers, ARangeWiderThanFloat32IsRefused) {
  Graph graph = lower(product_model(false), {});
  graph.metadata[calibration_key] = calibration_target(graph).header + "\n-3e38 3e38 0.001 the_Gemm\n";
  EXPECT_THAT(message_of([&] { plan_cpu(std::move(graph), {.precision = Precision::int8}); }),
              HasSubstr("where 'LOW HIGH ERROR the_Gemm' is needed"));
}

TEST_F(Integers, AScalarMayBeAddedToAQuantisedColumn) {
  const OnnxModel m =
      parsed(grid("a", 0.016F, 128) + grid("c", 0.03F, 100) + on_grid("x", "xr", "a") +
             stored("w", {8, 1}, 1, integers(8), {0.01F}) + node("MatMul", {"xr", "w"}, "p") + on_grid("p", "q", "c") +
             initialiser("one", {}, floats({0.7F})) + node("Add", {"q", "one"}, "r") + on_grid("r", "y", "c") +
             port(11, "x", {4, 8}) + port(12, "y", {4, 1}));
  const std::vector<float> x = values(32, 2.0F);
  expect_within(Runner(in_int8(m)).run(x), as_they_say(m, x), 0.03F);
}

/// Channels 0 to 0 of a quantised value, added to themselves and put behind others.
TEST_F(Integers, AValueWithoutElementsRunsAsNothing) {
  const auto bound = [](const std::string& name) {
    return initialiser(name, {1}, raw(std::vector<std::int64_t>{name == "one" ? 1 : 0}), 7);
  };
  const OnnxModel m =
      parsed(grid("a", 0.016F, 128) + grid("c", 0.03F, 100) + on_grid("x", "xr", "a") +
             stored("w", {8, 4, 1, 1}, 0, integers(32), std::vector<float>(8, 0.01F)) +
             node("Conv", {"xr", "w"}, "p1") + on_grid("p1", "p", "c") + bound("none") + bound("one") +
             node("Slice", {"p", "none", "none", "one"}, "n1") + on_grid("n1", "n", "c") +
             node("Add", {"n", "n"}, "n2") + on_grid("n2", "n3", "c") + node("Concat", {"p", "n3"}, "k", axis(1)) +
             on_grid("k", "y", "c") + port(11, "x", {1, 4, 3, 5}) + port(12, "y", {1, 8, 3, 5}));
  const std::vector<float> x = values(60, 2.0F);
  expect_within(Runner(in_int8(m)).run(x), as_they_say(m, x), 0.03F);
  expect_within(Runner(plan_cpu(lower(m, {}), {})).run(x), as_they_say(m, x), 0.03F);
}

/// What a file spells out as QuantizeLinear does is one only where no constant adds an axis and the zero point is one
/// of its integers.
/// As transformers come quantised: a product of rows, its activation in the shape of the tokens, the next one's rows.
TEST_F(Integers, AFunctionBetweenTwoShapesStaysInIntegers) {
  const auto shape = [](const std::string& name, std::vector<std::int64_t> v) {
    return initialiser(name, {v.size()}, raw(v), 7);
  };
  const OnnxModel m =
      parsed(grid("a", 0.016F, 128) + grid("c", 0.06F, 120) + grid("d", 0.004F, 3) + on_grid("x", "xr", "a") +
             stored("w", {50, 19}, 1, integers(950), {0.004F}) + node("MatMul", {"xr", "w"}, "p1") +
             on_grid("p1", "p", "c") + node("Reshape", {"p", "tokens"}, "t") + shape("tokens", {1, 37, 19}) +
             node("Sigmoid", {"t"}, "s") + node("Reshape", {"s", "rows"}, "r") + shape("rows", {37, 19}) +
             on_grid("r", "y", "d") + port(11, "x", {37, 50}) + port(12, "y", {37, 19}));
  const auto x = values(37 * 50, 1.9F, 7);
  expect_integers_between(m);
  Runner runner(in_int8(m));
  EXPECT_EQ(runner.executor().summary().reorders, 0);
  expect_within(runner.run(x), as_they_say(m, x), 0.004F);
}

TEST_F(Integers, AnArithmeticThatIsNoQuantisationIsLeftAsItIs) {
  const auto cast = [](std::uint64_t to) { return field(5, field(1, "to") + number(3, to) + number(20, 2)); };
  for (const bool adds_axis : {false, true}) {
    const std::vector<std::uint64_t> one(adds_axis ? 3 : 0, 1);
    const float zero = adds_axis ? 3.0F : 0.5F;
    const OnnxModel m =
        parsed(grid("a", 0.016F, 128) + on_grid("x", "xr", "a") +
               stored("w", {8, 5}, 1, integers(40), std::vector<float>(5, 0.01F)) + node("MatMul", {"xr", "w"}, "p") +
               initialiser("s", one, floats({0.05F})) + initialiser("z", {}, floats({zero})) +
               initialiser("zi", {}, raw(std::vector<std::int32_t>{adds_axis ? 3 : 0}), 6) +
               node("Div", {"p", "s"}, "d") + node("Round", {"d"}, "o") + node("Add", {"o", "z"}, "e") +
               node("Cast", {"e"}, "q", cast(3)) + node("Cast", {"q"}, "i", cast(6)) + node("Sub", {"i", "zi"}, "j") +
               node("Cast", {"j"}, "f", cast(1)) + node("Mul", {"f", "s"}, "y") + port(11, "x", {4, 8}) +
               (adds_axis ? port(12, "y", {1, 4, 5}) : port(12, "y", {4, 5})));
    const std::vector<float> x = values(32, 2.0F);
    Runner runner(in_int8(m));
    EXPECT_EQ(runner.executor().outputs()[0].shape.size(), adds_axis ? 3U : 2U);
    expect_within(runner.run(x), as_they_say(m, x), 0.05F);
  }
}

}  // namespace
}  // namespace isocenter::infer::test
