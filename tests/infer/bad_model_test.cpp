// What is wrong with a model file is said in one sentence before anything runs.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "fixture.hpp"
#include "message_of.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

OnnxModel parse(const std::string& text) {
  return parse_onnx({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "test.onnx", "");
}
std::string refusal(const std::string& text, Shape shape = {1, 2, 8, 8}) {
  return message_of([&] { lower(parse(text), {.input_shapes = {{"x", shape}}, .constant_inputs = {}}); });
}

TEST(BadModel, AttributesThatTheWeightsContradictAreRefused) {
  const auto refused = [](const std::string& nodes, Shape x) {
    const std::string ports = port(11, "x", {x.begin(), x.end()}) + port(12, "y", {x.begin(), x.end()});
    return message_of([&] { lower(parse(model(nodes + ports, 24)), {.input_shapes = {}, .constant_inputs = {}}); });
  };
  const auto weights = [](const std::string& name, const std::vector<std::uint64_t>& shape, std::size_t count) {
    return initialiser(name, shape, floats(std::vector<float>(count)));
  };
  const std::string hidden = field(5, field(1, "hidden_size") + number(20, 2) + number(3, 2));
  EXPECT_THAT(
      refused(node("LSTM", {"x", "w", "r"}, "y", hidden) + weights("w", {1, 4, 2}, 8) + weights("r", {1, 4, 1}, 4),
              {3, 1, 2}),
      AllOf(HasSubstr("'the_LSTM'"), HasSubstr("hidden_size 2 and recurrent weights of shape 1 x 4 x 1")));
  EXPECT_THAT(refused(node("DeformConv", {"x", "w", "o"}, "y", ints("kernel_shape", {3, 3})) +
                          weights("w", {1, 1, 1, 1}, 1) + weights("o", {1, 2, 8, 8}, 128),
                      {1, 1, 8, 8}),
              HasSubstr("kernel_shape 3 x 3 and weights of 1 x 1 x 1 x 1"));
  const std::string down = field(5, field(1, "round_mode") + number(20, 3) + field(4, "down"));
  EXPECT_THAT(refused(node("CastLike", {"x", "x"}, "y", down), {1, 2}), HasSubstr("rounds scales 'down'"));
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
                                   HasSubstr("'the_Scan' (Scan)"), HasSubstr("opset 17"),
                                   HasSubstr("operators that docs/infer/conformance.md lists")));
}

TEST(BadModel, AnUnknownOperatorIsToldTheNearestOneAndNoOther) {
  const std::string message = refusal(model(node("Convv", {"x"}, "y") + standard_ports()));
  EXPECT_THAT(message, AllOf(HasSubstr("'the_Convv' (Convv; did you mean Conv?)"), Not(HasSubstr("ConvTranspose"))));
  EXPECT_LT(message.size(), 300U);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Documentation, ConformanceListsTheOperatorsThatAreKnown) {
  const std::string page = text_of(std::filesystem::path(ISOCENTER_SOURCE_DIR) / "docs/infer/conformance.md");
  const std::size_t from = page.find("## Operators that are known\n");
  ASSERT_NE(from, std::string::npos);
  const std::string section = page.substr(from, page.find("\n## ", from) - from);
  std::vector<std::string> listed;
  for (std::size_t open = section.find('`'); open != std::string::npos; open = section.find('`', open)) {
    const std::size_t close = section.find('`', open + 1);
    listed.push_back(section.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  EXPECT_EQ(listed, supported_operators());
  EXPECT_THAT(section, HasSubstr(std::to_string(listed.size()) + " operators"));
}

std::string real(const std::string& name) { return field(5, field(1, name) + number(20, 1)); }

TEST(BadModel, AnAttributeThatTheOperatorDoesNotHaveIsRefusedByNodeAndName) {
  const std::string pool = node("MaxPool", {"x"}, "y", ints("kernel_shape", {1, 1}) + ints("stride", {1, 1}));
  EXPECT_THAT(refusal(model(pool + standard_ports())),
              AllOf(HasSubstr("node 'the_MaxPool' (MaxPool, opset 17)"), HasSubstr("an attribute 'stride'"),
                    HasSubstr("did you mean 'strides'?"), HasSubstr("storage_order")));
  EXPECT_THAT(refusal(model(node("Relu", {"x"}, "y", real("alpha")) + standard_ports())),
              AllOf(HasSubstr("'alpha'"), HasSubstr("the operator has no attributes")));
}

TEST(BadModel, AnAttributeOfAnotherOpsetIsRefused) {
  const auto sum = [](std::uint64_t opset) {
    return refusal(model(node("ReduceSum", {"x"}, "y", ints("axes", {1})) + standard_ports(), opset));
  };
  EXPECT_EQ(sum(12), "no error");
  EXPECT_THAT(sum(13), AllOf(HasSubstr("'axes'"), HasSubstr("noop_with_empty_axes")));
}

TEST(BadModel, AttributesWithoutATypeOrGivenTwiceAreRefused) {
  const auto leaky = [](const std::string& attributes) {
    return refusal(model(node("LeakyRelu", {"x"}, "y", attributes) + standard_ports()));
  };
  EXPECT_EQ(leaky(real("alpha")), "no error");
  EXPECT_THAT(leaky(field(5, field(1, "alpha"))), AllOf(HasSubstr("'the_LeakyRelu'"), HasSubstr("'alpha' of a type")));
  EXPECT_THAT(leaky(real("alpha") + real("alpha")), HasSubstr("'the_LeakyRelu' has two attributes 'alpha'"));
  EXPECT_EQ(leaky(real("__note")), "no error");  // a note of whoever wrote the file
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

TEST(BadModel, AFunctionOfIntegersThatLeavesTheirRangeEndsAtItsBound) {
  const std::string hundred = std::string("d") + std::string(7, '\0');
  const Graph graph =
      lower(parse(model(node("Exp", {"w"}, "y") + initialiser("w", {1}, hundred, 7) + port(12, "y", {1}))), {});
  EXPECT_EQ(graph.value(graph.outputs[0]).constant->integer(0), INT64_MAX);
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
