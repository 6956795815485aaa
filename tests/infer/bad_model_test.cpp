// What is wrong with a model file is said in one sentence before anything runs.
#include <gmock/gmock.h>

#include "fixture.hpp"
#include "message_of.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;
using testing::AllOf;
using testing::HasSubstr;

OnnxModel parse(const std::string& text) {
  return parse_onnx({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "test.onnx", "");
}
std::string refusal(const std::string& text, Shape shape = {1, 2, 8, 8}) {
  return message_of([&] { lower(parse(text), {.input_shapes = {{"x", shape}}, .constant_inputs = {}}); });
}

TEST(BadModel, AMissingFileIsNamed) {
  EXPECT_THAT(message_of([] { read_onnx("/no/such/model.onnx"); }),
              AllOf(HasSubstr("/no/such/model.onnx"), HasSubstr("there is no such model file")));
}

TEST(BadModel, AnyTruncationIsAnErrorAndNeverACrash) {
  const auto bytes = read_bytes(data_path("dncnn.onnx"));
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    const std::string message = message_of([&] {
      lower(parse_onnx(std::span(bytes).first(size), "cut.onnx", ""),
            {.input_shapes = {{"input", {1, 1, 16, 16}}}, .constant_inputs = {}});
    });
    EXPECT_THAT(message, HasSubstr("Fix:")) << size;
  }
}

TEST(BadModel, DamagedBytesNeverCrash) {
  const auto bytes = read_bytes(data_path("linknet3d.onnx"));
  std::uint32_t state = 1;
  for (int round = 0; round < 300; ++round) {
    auto damaged = bytes;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525U + 1013904223U;
      damaged[state % 4000U] = static_cast<std::byte>(state >> 24);  // the front holds the nodes
    }
    message_of([&] {
      lower(parse_onnx(damaged, "damaged.onnx", ""),
            {.input_shapes = {{"input", {1, 1, 16, 16, 16}}}, .constant_inputs = {}});
    });
  }
}

TEST(BadModel, EveryUnsupportedOperatorIsNamedBeforeAnythingRuns) {
  const std::string text = model(node("Relu", {"x"}, "a") + node("StringNormalizer", {"a"}, "b") +
                                 node("Scan", {"b"}, "y") + standard_ports());
  EXPECT_THAT(refusal(text), AllOf(HasSubstr("2 of 3 nodes"), HasSubstr("'the_StringNormalizer' (StringNormalizer)"),
                                   HasSubstr("'the_Scan' (Scan)"), HasSubstr("opset 17"), HasSubstr("ConvTranspose")));
}

TEST(BadModel, AnUnknownOpsetIsRefused) {
  EXPECT_THAT(refusal(model(node("Relu", {"x"}, "y") + standard_ports(), 99)),
              AllOf(HasSubstr("opset 99"), HasSubstr("7 to 28")));
}

TEST(BadModel, AWrongRankOrChannelCountIsRefused) {
  const std::string text = model(node("Relu", {"x"}, "y") + standard_ports());
  EXPECT_THAT(refusal(text, {1, 3, 8, 8}), AllOf(HasSubstr("input 'x'"), HasSubstr("1 x 2 x n x n"),
                                                 HasSubstr("axis 1 (channels) has 3, the model takes 2")));
  EXPECT_THAT(refusal(text, {1, 2, 8, 8, 8}), HasSubstr("5 axes for 4"));
}

TEST(BadModel, AnInputThatIsNotThereIsRefused) {
  const std::string text = model(node("Relu", {"x"}, "y") + standard_ports());
  EXPECT_THAT(message_of([&] {
                lower(parse(text), {.input_shapes = {{"z", {1}}}, .constant_inputs = {}});
              }),
              AllOf(HasSubstr("no input 'z'"), HasSubstr("'x'")));
}

TEST(BadModel, WeightsOfTheWrongShapeAreRefusedByNode) {
  const std::string conv = node("Conv", {"x", "w"}, "y");
  EXPECT_THAT(
      refusal(model(conv + initialiser("w", {4, 3, 1, 1}, std::string(48, '\0')) + standard_ports())),
      AllOf(HasSubstr("node 'the_Conv' (Conv, opset 17)"), HasSubstr("4 x 3 x 1 x 1"), HasSubstr("2 input channels")));
}

TEST(BadModel, AWindowLargerThanItsInputIsRefused) {
  const std::string pool = node("MaxPool", {"x"}, "y", ints("kernel_shape", {9, 9}));
  EXPECT_THAT(refusal(model(pool + standard_ports())),
              HasSubstr("a window larger than its padded input 1 x 2 x 8 x 8"));
}

TEST(BadModel, ATensorWithoutTheDataThatItsShapePromisesCostsNoMemory) {
  const std::string text =
      model(node("Add", {"x", "w"}, "y") + initialiser("w", {1U << 30, 512}, "abcd") + standard_ports());
  EXPECT_THAT(refusal(text), AllOf(HasSubstr("tensor 'w' holds 4 bytes"), HasSubstr("needs 2199023255552")));
}

TEST(BadModel, AHugeConstantIsRefused) {
  const std::string shape = std::string(6, '\0') + '\x02' + '\0';  // 2^49
  EXPECT_THAT(refusal(model(node("ConstantOfShape", {"s"}, "c") + node("Add", {"x", "c"}, "y") +
                            initialiser("s", {1}, shape, 7) + standard_ports())),
              HasSubstr("2^40 elements"));
}

TEST(BadModel, AnElementTypeThatIsNotKnownIsRefused) {
  EXPECT_THAT(refusal(model(node("Add", {"x", "w"}, "y") + initialiser("w", {1}, "a", 8) + standard_ports())),
              AllOf(HasSubstr("tensor 'w'"), HasSubstr("element type 8")));
}

TEST(BadModel, AnUndefinedOrDoubleNameIsRefused) {
  EXPECT_THAT(refusal(model(node("Relu", {"nothing"}, "y") + standard_ports())),
              HasSubstr("reads 'nothing', which no node before it makes"));
  EXPECT_THAT(refusal(model(node("Relu", {"x"}, "y") + node("Relu", {"x"}, "y") + standard_ports())),
              HasSubstr("makes 'y', which is there already"));
}

TEST(BadModel, ExternalDataStaysInTheModelsFolder) {
  const auto entry = [](const std::string& k, const std::string& v) { return field(13, field(1, k) + field(2, v)); };
  const std::string tensor =
      field(5, number(1, 1) + number(2, 1) + field(8, "w") + entry("location", "../secret") + number(14, 1));
  EXPECT_THAT(refusal(model(node("Add", {"x", "w"}, "y") + tensor + standard_ports())),
              AllOf(HasSubstr("'../secret'"), HasSubstr("own folder")));
}

TEST(BadModel, AShapeThatDependsOnDataNamesTheInput) {
  const std::string text = model(node("Reshape", {"x", "s"}, "y") + port(11, "s", {2}) + standard_ports());
  EXPECT_THAT(refusal(text), AllOf(HasSubstr("node 'the_Reshape'"), HasSubstr("depends on the input 's'")));
}

}  // namespace
}  // namespace isocenter::infer::test
