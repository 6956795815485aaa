// The CUDA executor without a GPU: cuDNN and the runtime are stood in for, kernels of ours run on the CPU. It says that
// what is fused, left over, rounded and recorded adds up, and nothing of CUDA itself.
#include "infer/cuda/cuda_executor.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "devices/network_definitions.hpp"
#include "infer/cuda/recorded_runs.hpp"
#include "planned_network.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using testing::HasSubstr;

class CudaExecutorTest : public testing::TestWithParam<Fixture> {
 protected:
  void expect_agreement(const HostConvolutions::Refuses& refuses) {
    const auto x = read_floats(std::string(GetParam().name) + ".input.f32"),
               expected = read_floats(std::string(GetParam().name) + ".output.f32");
    for (const auto& [precision, bound] : bounds) {
      const auto p = plan(load(GetParam()), precision, refuses);
      const double error = relative_error(Runner(std::move(p->executor)).run(x), expected);
      EXPECT_LT(error, bound) << network_precisions[static_cast<std::size_t>(precision)];
      if (precision != Precision::float32) {
        EXPECT_GT(error, 1e-5) << "that is float32";
      }
      EXPECT_GT(p->library->planned, 4);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Fixtures, CudaExecutorTest, testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(CudaExecutorTest, AgreesWithOnnxRuntimeInEachPrecisionWhereAllIsFused) { expect_agreement({}); }

TEST_P(CudaExecutorTest, AgreesWhereOnlyTheProductIsTheLibrarys) {
  expect_agreement([](const CudnnProblem& p) {
    const Convolution& c = p.convolution;
    return c.bias || c.residual || !c.then.none() || (p.factors != ElementType::f32 && p.result == ElementType::f32);
  });
}

TEST_P(CudaExecutorTest, AgreesWhereResidualsAreLeftOverAndTheBiasIsFloat32) {
  expect_agreement([](const CudnnProblem& p) {
    return p.convolution.residual || (p.convolution.bias && p.bias != ElementType::f32) ||
           (p.factors != ElementType::f32 && p.result == ElementType::f32);
  });
}

TEST(CudaExecutorTest, ProductsWithConstantWeightsAreTheLibrarysTooAndAgreeWithTheCpu) {
  using namespace tiny;
  constexpr std::size_t rows = 5, depth = 7, columns = 11;
  std::vector<float> weights(depth * columns), bias(columns), x(2 * rows * depth);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 13) / 13 - 0.4F;
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7) % 17) / 17 - 0.5F;
  const std::string bytes =
      model(node("MatMul", {"x", "w"}, "p") + node("Add", {"p", "b"}, "y") +
            initialiser("w", {depth, columns}, floats(weights)) + initialiser("b", {columns}, floats(bias)) +
            port(11, "x", {2, rows, depth}) + port(12, "y", {2, rows, columns}));
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "product", "");
  std::vector<float> expected(2 * rows * columns);
  for (std::size_t r = 0; r < 2 * rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      double sum = static_cast<double>(bias[c]);
      for (std::size_t k = 0; k < depth; ++k)
        sum += static_cast<double>(x[r * depth + k]) * static_cast<double>(weights[k * columns + c]);
      expected[r * columns + c] = static_cast<float>(sum);
    }
  for (const auto& [precision, bound] : bounds) {
    const auto p = plan(lower(parsed, {}), precision);
    EXPECT_LT(relative_error(Runner(std::move(p->executor)).run(x), expected), bound);
    EXPECT_EQ(p->library->planned, 1);
  }
}

/// The middle of a residual network: relu(conv(x) + bias + x), negative sums among them.
TEST(CudaExecutorTest, WhatIsLeftOverOfAResidualBlockAgreesWithTheBlockInOneGraph) {
  using namespace tiny;
  std::vector<float> weights(3 * 3 * 9), x(3 * 5 * 7);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>((i * 5) % 11) / 11 - 0.45F;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7) % 17) / 17 - 0.5F;
  const std::string bytes = model(
      node("Conv", {"x", "w", "b"}, "c", ints("pads", {1, 1, 1, 1})) + node("Add", {"c", "x"}, "s") +
      node("Relu", {"s"}, "y") + initialiser("w", {3, 3, 3, 3}, floats(weights)) +
      initialiser("b", {3}, floats({-0.3F, 0.1F, 0.4F})) + port(11, "x", {1, 3, 5, 7}) + port(12, "y", {1, 3, 5, 7}));
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "block", "");
  const auto whole = plan(lower(parsed, {}), Precision::float32);
  const std::vector<float> expected = Runner(std::move(whole->executor)).run(x);
  EXPECT_GT(std::count(expected.begin(), expected.end(), 0.0F), 9) << "ReLU cut nothing";
  for (const bool bias : {true, false})
    for (const auto& [precision, bound] : bounds) {
      const auto p = plan(lower(parsed, {}), precision, [bias](const CudnnProblem& q) {
        return q.convolution.residual || (q.convolution.bias && !bias) || !q.convolution.then.none();
      });
      EXPECT_LT(relative_error(Runner(std::move(p->executor)).run(x), expected), bound)
          << network_precisions[static_cast<std::size_t>(precision)] << (bias ? "" : ", bias left over");
    }
}

/// Box 1 covers 9/11 of its union with box 0; box 2 lies apart; box 3 is too weak in class 0 and alone in class 1.
TEST(CudaExecutorTest, SelectsBoxesOnLiveDataInEachPrecision) {
  using namespace tiny;
  const std::string bytes =
      model(node("NonMaxSuppression", {"x", "s", "most", "overlap", "lowest"}, "y") +
            initialiser("most", {1}, std::string("\2\0\0\0\0\0\0\0", 8), 7) +
            initialiser("overlap", {1}, floats({0.5F})) + initialiser("lowest", {1}, floats({0.35F})) +
            port(11, "x", {1, 4, 4}) + port(11, "s", {1, 2, 4}) + port(12, "y", {-1, 3}));
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "boxes", "");
  const std::vector<float> boxes{0, 0, 10, 10, 0, 1, 10, 11, 20, 20, 30, 30, 40, 40, 41, 41},
      scores{0.8F, 0.9F, 0.5F, 0.3F, 0.1F, 0.2F, NAN, 0.7F};
  for (const auto& [precision, bound] : bounds) {
    const auto p = plan(lower(parsed, {}), precision);
    Runner runner(std::move(p->executor));
    std::copy(boxes.begin(), boxes.end(), runner.input(0));
    std::copy(scores.begin(), scores.end(), runner.input(1));
    runner.executor().run(nullptr);
    const auto* rows = reinterpret_cast<const std::int64_t*>(runner.output());
    EXPECT_THAT(std::vector<std::int64_t>(rows, rows + 12),
                testing::ElementsAre(0, 0, 1, 0, 0, 2, 0, 1, 3, -1, -1, -1));
  }
}

/// By cuDNN itself, from the device's description. ResNet-50 has 25.5 million weights.
TEST(CudaExecutorTest, TheBenchmarksNetworksPlanWholeForAnH100WithEveryConvolutionTheLibrarys) {
  const auto text = read_bytes(data_path("h100_hand_filled.json"));
  const auto h100 = CudnnDevice::described({reinterpret_cast<const char*>(text.data()), text.size()});
  const OnnxModel resnet = benchmarks::resnet50(256), unet = benchmarks::unet3d(1, 128);
  std::int64_t weights = 0;
  for (const auto& [name, array] : resnet.initialisers) weights += array.count();
  EXPECT_NEAR(static_cast<double>(weights), 25.5e6, 0.1e6);
  for (const OnnxModel* model : {&resnet, &unet}) {
    const auto p = plan_with(h100, lower(*model, {}), Precision::bfloat16);
    EXPECT_THAT(p->executor->summary().reference_nodes, testing::IsEmpty()) << model->source;
    EXPECT_LT(p->executor->summary().arena_bytes, std::int64_t{1} << 30) << model->source;
  }
}

TEST(CudaExecutorTest, NamesItsPrecisionAndRefusesTheCpus) {
  EXPECT_EQ(plan(load(fixtures[2]), Precision::float16)->executor->summary().precision, "float16, summed in float32");
  try {
    plan(load(fixtures[2]), Precision::int8);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("precision = int8"), HasSubstr("bfloat16 or float16")));
  }
}

class RecordedRunsTest : public testing::Test {
 protected:
  void run(int memory) {
    runs.run(places + memory, nullptr, [this] {
      ++enqueued;
      if (fails) throw std::runtime_error("cannot be recorded");
    });
  }
  char places[8] = {};
  Calls calls;
  RecordedRuns runs{std::make_unique<CountedQueue>(calls)};
  int enqueued = 0;
  bool fails = false;
};

TEST_F(RecordedRunsTest, TheFirstRunIsEnqueuedTheSecondRecordedAndTheOthersReplayed) {
  run(0);
  EXPECT_EQ(calls.begun, 0);
  for (int i = 0; i < 3; ++i) run(0);
  EXPECT_EQ(calls.begun, 1);
  EXPECT_EQ(calls.ended, 1);
  EXPECT_EQ(calls.replayed, 3);
  EXPECT_EQ(enqueued, 2);
}

TEST_F(RecordedRunsTest, MemoryThatMovesIsRecordedAgainAndWhatComesBackIsReplayed) {
  run(0);
  for (const int memory : {0, 1, 0, 1}) run(memory);
  EXPECT_EQ(calls.begun, 2);
  EXPECT_EQ(calls.replayed, 4);
  for (const int memory : {2, 3, 4}) run(memory);  // the fifth place takes the first one's
  EXPECT_EQ(calls.destroyed, 1);
  run(1);
  EXPECT_EQ(calls.begun, 5);
  run(0);
  EXPECT_EQ(calls.begun, 6);
}

TEST_F(RecordedRunsTest, WhatCannotBeRecordedThreeTimesIsEnqueuedEachTime) {
  calls.records = false;
  for (int i = 0; i < 6; ++i) run(0);
  EXPECT_EQ(calls.begun, 3);
  EXPECT_EQ(calls.replayed, 0);
  EXPECT_EQ(enqueued, 9);  // three times while it was recorded in vain
}

TEST_F(RecordedRunsTest, ARecordingThatAnotherSpoiltIsMadeTheNextTime) {
  run(0);
  calls.records = false;
  run(0);
  calls.records = true;
  for (int i = 0; i < 2; ++i) run(0);
  EXPECT_EQ(calls.begun, 2);
  EXPECT_EQ(calls.replayed, 2);
}

TEST_F(RecordedRunsTest, AStreamThatTakesNoRecordingIsAskedAgain) {
  calls.takes = false;
  for (int i = 0; i < 3; ++i) run(0);
  EXPECT_EQ(enqueued, 3);
  calls.takes = true;
  run(0);
  EXPECT_EQ(calls.replayed, 1);
}

TEST_F(RecordedRunsTest, AnErrorWhileRecordingEndsTheRecordingAndIsTheRunsOwn) {
  run(0);
  fails = true;
  EXPECT_THROW(run(0), std::runtime_error);
  EXPECT_EQ(calls.ended, 1);
  fails = false;
  run(0);
  EXPECT_EQ(calls.begun, 2);
  EXPECT_EQ(calls.replayed, 1);
  EXPECT_EQ(enqueued, 4);
}

/// The importer's conversions, which go by the value, are the other side; between two neighbours lies a tie.
TEST(Float16, KernelsReadAndRoundAllOfThemAsTheImporterDoes) {
  using isocenter::detail::float16;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float16 half{static_cast<std::uint16_t>(bits)};
    const float wide = load(isocenter::detail::Scalar{}, &half), expected = half_to_float(half.bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(wide)) << bits;
      continue;
    }
    EXPECT_EQ(wide, expected) << bits;
    const float next = half_to_float(static_cast<std::uint16_t>(bits + 1)), tie = (expected + next) / 2;
    for (const float v : {expected, tie, std::nextafterf(tie, 1e9F), std::nextafterf(tie, -1e9F)}) {
      if (std::isnan(v)) continue;
      float16 rounded{};
      store(&rounded, v);
      EXPECT_EQ(rounded.bits, float_to_half(v)) << v;
    }
  }
}

TEST(CudaEnvironment, OfPlanChoicesTwoAreKnown) {
  EXPECT_EQ(plan_choice(nullptr), PlanChoice::heuristic);
  EXPECT_EQ(plan_choice("autotuned"), PlanChoice::autotuned);
  EXPECT_THROW(plan_choice("fast"), Error);
}

}  // namespace
}  // namespace isocenter::infer::test
