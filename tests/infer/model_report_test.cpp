// What `isocenter model inspect` says, against counts by hand; and what runs or is planned by its data.
#include "infer/model_report.hpp"

#include <gmock/gmock.h>

#include "fixture.hpp"
#include "model_file.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Three filters of 2 x 3 x 3 over 2 channels, then ReLU.
std::string small_convolution() {
  return model(node("Conv", {"x", "w", "b"}, "a", ints("pads", {1, 1, 1, 1})) + node("Relu", {"a"}, "y") +
               initialiser("w", {3, 2, 3, 3}, floats(std::vector<float>(54, 0.5F))) +
               initialiser("b", {3}, floats({1, 2, 3})) + port(11, "x", {1, 2, -1, -1}) +
               port(12, "y", {1, 3, -1, -1}));
}

TEST(ModelReport, CountsParametersOperatorsAndOperations) {
  const ModelReport report = inspect_model(ModelFile(small_convolution()), {{"x", {1, 2, 8, 10}}});
  EXPECT_EQ(report.parameters, 54 + 3);
  EXPECT_EQ(report.operators, (std::map<std::string, int>{{"Conv", 1}, {"Relu", 1}}));
  EXPECT_THAT(report.unsupported, IsEmpty());
  ASSERT_TRUE(report.cost);
  EXPECT_EQ(report.cost->operations, 2.0 * 54 * 80);  // 54 weights at 80 positions, a product and a sum each
  EXPECT_EQ(report.cost->outputs[0].second, (Shape{1, 3, 8, 10}));
  EXPECT_GE(report.cost->cpu.arena_bytes, 5 * 80 * 4);
  EXPECT_THAT(report.cost->not_on_cuda, IsEmpty());
  EXPECT_THAT(to_lines(report),
              AllOf(HasSubstr("8.64 thousand an inference"), HasSubstr("1 x 2 x n x n"), HasSubstr("Conv Relu")));
  EXPECT_THAT(to_json(report), AllOf(HasSubstr("\"operations\":8640"), HasSubstr("\"parameters\":57")));
}

TEST(ModelReport, CountsTheTwoMatricesOfAProduct) {
  const std::string text =
      model(node("MatMul", {"x", "w"}, "y") + initialiser("w", {4, 5}, floats(std::vector<float>(20, 1.0F))) +
            port(11, "x", {7, 4}) + port(12, "y", {7, 5}));
  EXPECT_EQ(inspect_model(ModelFile(text), {}).cost->operations, 2.0 * 7 * 4 * 5);
}

TEST(ModelReport, AsksForShapesThatTheFileLeavesFree) {
  const ModelReport report = inspect_model(ModelFile(small_convolution()), {});
  EXPECT_FALSE(report.cost);
  EXPECT_THAT(to_lines(report), HasSubstr("give the shape of 'x'"));
}

TEST(ModelReport, RefusesTheShapeOfAnInputThatThereIsNot) {
  try {
    inspect_model(ModelFile(small_convolution()), {{"xx", {1, 2, 8, 10}}});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("no input 'xx'"), HasSubstr("Fix: its inputs: 'x'")));
  }
}

TEST(ModelReport, ListsWhatIsSupportedNowhereAndWhatCudaRefuses) {
  const std::string nowhere = model(node("Scan", {"x"}, "y") + standard_ports());
  EXPECT_THAT(inspect_model(ModelFile(nowhere), {}).unsupported, ElementsAre("'the_Scan' (Scan)"));
  const std::string on_cpu =
      model(node("ReverseSequence", {"x", "lengths"}, "y") +
            initialiser("lengths", {2}, std::string("\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16), 7) + standard_ports());
  const ModelReport report = inspect_model(ModelFile(on_cpu), {{"x", {1, 2, 3, 4}}});
  EXPECT_THAT(report.cost->not_on_cuda, ElementsAre("'the_ReverseSequence' (ReverseSequence)"));
  EXPECT_THAT(report.cost->cpu.reference_nodes, ElementsAre("'the_ReverseSequence' (ReverseSequence)"));
}

OnnxModel parse(const std::string& text) {
  return parse_onnx({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "test.onnx", "");
}

/// Gathers from w (4) at the positions that x brings, brought to integers.
TEST(RunTimeIndices, OneOutsideOfItsAxisStopsTheRunWithItsValue) {
  const std::string text = model(node("Cast", {"x"}, "i", field(5, field(1, "to") + number(20, 2) + number(3, 7))) +
                                 node("Gather", {"w", "i"}, "y") + initialiser("w", {4}, floats({10, 20, 30, 40})) +
                                 port(11, "x", {3}) + port(12, "y", {3}));
  Runner runner(plan_cpu(lower(parse(text), {}), {}));
  EXPECT_THAT(runner.run({3, 0, -1}), ElementsAre(40, 10, 40));
  try {
    runner.run({0, 4, 0});
    FAIL() << "an index beyond the end ran";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("position 4 of 4"));
  }
}

TEST(ConstantOutputs, ANodeThatReadsOneReadsItsValue) {
  const std::string text =
      model(node("Neg", {"w"}, "c") + node("Add", {"x", "c"}, "y") + initialiser("w", {3}, floats({1, 2, 3})) +
            port(11, "x", {3}) + port(12, "y", {3}) + port(12, "c", {3}));
  Runner runner(plan_cpu(lower(parse(text), {}), {}));
  EXPECT_THAT(runner.run({10, 10, 10}), ElementsAre(9, 8, 7));
}

}  // namespace
}  // namespace isocenter::infer::test
