// Caffe's networks are imported as OpenCV imports them, and what is wrong with one is said by line, layer and field.
#include <gmock/gmock.h>

#include <cmath>

#include "fixture.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/caffe/prototxt.hpp"
#include "message_of.hpp"

namespace isocenter::infer::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* input =
    "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 6, 5] } } }\n";

OnnxModel parse(const std::string& layers, const CaffeWeights& weights = {}) {
  return parse_caffe(input + layers, weights, "net.prototxt");
}
std::string refusal(const std::string& layers, const CaffeWeights& weights = {}) {
  return message_of([&] { lower(parse(layers, weights), {}); });
}
Array ramp(Shape shape) {
  Array a(ElementType::f32, std::move(shape));
  for (std::int64_t i = 0; i < a.count(); ++i) a.set_real(i, 0.25 * static_cast<double>(i % 13) - 1);
  return a;
}
/// What the layers make of values 0, 1, 2, ... / 10 - 1.
std::vector<float> computed(const std::string& layers, const CaffeWeights& weights = {}, Shape* shape = nullptr) {
  Runner runner(plan_cpu(lower(parse(layers, weights), {}), {}));
  std::vector<float> x(60);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 10 - 1;
  if (shape != nullptr) *shape = runner.executor().outputs()[0].shape;
  return runner.run(x);
}
float at(int i) { return static_cast<float>(i) / 10 - 1; }

class CaffeNetwork : public testing::TestWithParam<const char*> {};

TEST_P(CaffeNetwork, ComputesWhatOpenCvComputes) {
  const std::string name = std::string("caffe/") + GetParam();
  Runner runner(plan_cpu(lower(read_model(data_path(name + ".prototxt")), {}), {}));
  std::vector<float> x(static_cast<std::size_t>(element_count(runner.executor().inputs()[0].shape)));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(std::sin(0.7310585 * static_cast<double>(i)));
  const std::vector<float> expected = read_floats(name + ".out"), found = runner.run(x);
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_LT(relative_error(found, expected), 1e-5);
}
// Written by tests/interop/caffe_networks.py --golden: "older" is in the form of layers before 2014.
INSTANTIATE_TEST_SUITE_P(Of, CaffeNetwork, testing::Values("older", "googlenet", "resnet", "fcn", "many"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CaffeLayers, AMeanOverAWindowCountsItsPaddingAndNothingBeyond) {
  // 6 x 5, kernel 3, stride 2, pad 1: four by three windows; the last row's begins at 5 and is divided by 2 x 3 places.
  Shape shape;
  const auto y = computed(
      "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { pool: AVE kernel_size: 3 stride: 2 "
      "pad: 1 } }",
      {}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2, 4, 3}));
  EXPECT_NEAR(y[0], (at(0) + at(1) + at(5) + at(6)) / 9, 1e-6);
  EXPECT_NEAR(y[9], (at(25) + at(26)) / 6, 1e-6);
}

TEST(CaffeLayers, AResponseWithinAChannelIsNormalisedByItsSquareWindow) {
  const auto y = computed(
      "layer { name: 'n' type: 'LRN' bottom: 'data' top: 'n' lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 "
      "alpha: 0.5 beta: 0.75 } }");
  double squares = 0;
  for (const int i : {0, 1, 2, 5, 6, 7, 10, 11, 12}) squares += std::pow(at(i), 2);
  EXPECT_NEAR(y[6], at(6) * std::pow(1 + 0.5 * squares / 9, -0.75), 1e-6);
}

TEST(CaffeLayers, ElementwiseLayersFollowTheirFormulas) {
  const std::string layers =
      "layer { name: 'a' type: 'Exp' bottom: 'data' top: 'a' exp_param { base: 2 scale: 0.5 shift: 1 } }"
      "layer { name: 'b' type: 'Log' bottom: 'a' top: 'b' log_param { base: 10 shift: 3 } }"
      "layer { name: 'c' type: 'BNLL' bottom: 'b' top: 'c' }"
      "layer { name: 'd' type: 'Dropout' bottom: 'c' top: 'c' dropout_param { dropout_ratio: 0.25 scale_train: false } "
      "}";
  const auto y = computed(layers);
  for (const int i : {0, 17, 59}) {
    const double a = std::pow(2.0, 1 + 0.5 * static_cast<double>(at(i)));
    EXPECT_NEAR(y[static_cast<std::size_t>(i)], 0.75 * std::log1p(std::exp(std::log10(3 + a))), 1e-6);
  }
}

TEST(CaffeLayers, ADeviationIsTakenOfEachChannelOrOfEachItem) {
  for (const bool across : {false, true}) {
    const auto y = computed(std::string("layer { name: 'm' type: 'MVN' bottom: 'data' top: 'm' mvn_param { eps: 0.1 ") +
                            (across ? "across_channels: true } }" : "} }"));
    const int count = across ? 60 : 30;
    double mean = 0, squares = 0;
    for (int i = 0; i < count; ++i) mean += static_cast<double>(at(i)) / count;
    for (int i = 0; i < count; ++i) squares += std::pow(static_cast<double>(at(i)) - mean, 2) / count;
    EXPECT_NEAR(y[7], (static_cast<double>(at(7)) - mean) / (std::sqrt(squares) + 0.1), 1e-6);
  }
}

TEST(CaffeLayers, AResponseAcrossChannelsHasItsConstant) {
  // OpenCV 4.14 does not read k. Each channel sees itself and the other one.
  const auto y = parse_caffe(
      "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 3, 1, 1] } } }"
      "layer { name: 'n' type: 'LRN' bottom: 'data' top: 'n' lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 k: 2 } }",
      {}, "net.prototxt");
  Runner runner(plan_cpu(lower(y, {}), {}));
  EXPECT_NEAR(runner.run({1, 2, 3})[0], std::pow(2 + 0.5 / 3 * (1 + 4), -0.75), 1e-6);
}

TEST(CaffeLayers, ReducingTilingAndChoosingGiveCaffesShapes) {
  Shape shape;
  const auto sum = computed(
      "layer { name: 'r' type: 'Reduction' bottom: 'data' top: 'r' reduction_param { operation: SUMSQ axis: 2 coeff: 2 "
      "} }",
      {}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2}));
  double squares = 0;
  for (int i = 0; i < 30; ++i) squares += 2 * std::pow(static_cast<double>(at(i)), 2);
  EXPECT_NEAR(sum[0], squares, 1e-4);
  EXPECT_THAT(computed("layer { name: 'm' type: 'ArgMax' bottom: 'data' top: 'm' }", {}, &shape), ElementsAre(59.0F));
  EXPECT_EQ(shape, (Shape{1, 1, 1, 1}));
  computed("layer { name: 't' type: 'Tile' bottom: 'data' top: 't' tile_param { axis: -1 tiles: 3 } }", {}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2, 6, 15}));
  computed("layer { name: 'u' type: 'Upsample' bottom: 'data' top: 'u' upsample_param { scale: 2 } }", {}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2, 12, 10}));
  computed("layer { name: 'i' type: 'Interp' bottom: 'data' top: 'i' interp_param { zoom_factor: 3 } }", {}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2, 16, 13}));
}

TEST(CaffeLayers, AProductKeepsTheAxesBeforeItsOwn) {
  Shape shape;
  const auto y = computed(
      "layer { name: 'f' type: 'InnerProduct' bottom: 'data' top: 'f' "
      "inner_product_param { num_output: 3 axis: -1 transpose: true bias_term: false } }",
      {{"f", {ramp({5, 3})}}}, &shape);
  EXPECT_EQ(shape, (Shape{1, 2, 6, 3}));
  double expected = 0;
  for (int k = 0; k < 5; ++k) expected += static_cast<double>(at(5 + k)) * ramp({5, 3}).real(k * 3 + 1);
  EXPECT_NEAR(y[4], expected, 1e-5);
}

TEST(CaffeLayers, WhatNoLayerReadsIsAnOutputUnderItsBlobsName) {
  const OnnxModel model = parse(
      "layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'data' } layer { name: 'b' type: 'AbsVal' bottom: 'data' "
      "top: 'b' }"
      "layer { name: 'c' type: 'Split' bottom: 'b' top: 'one' top: 'two' }"
      "layer { name: 'd' type: 'ReLU' bottom: 'one' top: 'one' }"
      "layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'nothing' top: 'l' include { phase: TRAIN } }");
  ASSERT_EQ(model.outputs.size(), 2U);
  EXPECT_EQ(model.outputs[0].name, "two");
  EXPECT_EQ(model.outputs[1].name, "one");
}

TEST(BadCaffe, UnknownLayerTypesAreNamedAllAtOnce) {
  EXPECT_THAT(refusal("layer { name: 'p' type: 'Proposal' bottom: 'data' top: 'p' proposal_param { deep { er: 1 } } }"
                      "layer { name: 'q' type: 'PriorBox' bottom: 'data' top: 'q' }"),
              AllOf(HasSubstr("2 of 2 nodes are of layer types that are not supported: 'p'"), HasSubstr("PriorBox"),
                    HasSubstr("layer types that docs/infer/caffe.md lists")));
}

TEST(BadCaffe, AFieldThatIsNotKnownIsRefusedWithItsLine) {
  EXPECT_THAT(
      refusal(
          "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p'\n pooling_param { kernel_size: 2\n kernle: 3 } }"),
      AllOf(HasSubstr("net.prototxt:4"), HasSubstr("layer 'p' (Pooling)"), HasSubstr("'kernle'")));
  EXPECT_THAT(refusal("layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' elu_param { alpha: 1 } }"),
              HasSubstr("'elu_param'"));
}

TEST(BadCaffe, TextThatIsNoTextFormatIsRefusedWithItsLine) {
  const auto text = [](const std::string& t) { return message_of([&] { parse_prototxt(t, "t"); }); };
  EXPECT_THAT(text("a: 1\nb {\n c: 'x"), HasSubstr("t:3: the text that begins in line 3 is not closed"));
  EXPECT_THAT(text("a {\n b: 1"), HasSubstr("the file ends before the '}' of line 1"));
  EXPECT_THAT(text("a 1"), HasSubstr("where ':' or '{' is needed"));
  EXPECT_THAT(text("a: [1, 2"), HasSubstr("',' or ']'"));
  EXPECT_THAT(text("}"), HasSubstr("where the name of a field is needed"));
  EXPECT_THAT(text(std::string(40, '<').insert(0, "a")), HasSubstr("where the name of a field"));
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "a {";
  EXPECT_THAT(text(deep), HasSubstr("deeper than 32"));
  EXPECT_THAT(refusal("layer { name: 'p' type: 'Tile' bottom: 'data' top: 'p' tile_param { tiles: two } }"),
              HasSubstr("'tiles' is 'two', and an integer is needed"));
}

TEST(BadCaffe, ACutBeyondTheBlobIsRefused) {
  EXPECT_THAT(
      refusal("layer { name: 'c' type: 'Crop' bottom: 'data' bottom: 'data' top: 'c' crop_param { offset: 1 } }"),
      AllOf(HasSubstr("layer 'c' (Crop)"), HasSubstr("1 x 2 x 5 x 4")));
  EXPECT_THAT(
      refusal("layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'b' slice_param { slice_point: 3 } }"),
      AllOf(HasSubstr("layer 's' (Slice)"), HasSubstr("splits 2 positions")));
}

TEST(BadCaffe, WeightsThatDoNotBelongToTheDescriptionAreRefusedByLayer) {
  const std::string conv =
      "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 kernel_size: 3 "
      "} }";
  EXPECT_THAT(refusal(conv), HasSubstr("layer 'c' (Convolution) takes 2 trained blobs, and the weights have 0"));
  EXPECT_THAT(refusal(conv, {{"c", {ramp({4, 2, 5, 5}), ramp({4})}}}), HasSubstr("its weights are 4 x 2 x 5 x 5"));
  EXPECT_THAT(refusal(conv, {{"c", {ramp({4, 3, 3, 3}), ramp({4})}}}), HasSubstr("2 input channels"));
  EXPECT_THAT(refusal(conv, {{"c", {ramp({4, 2, 3, 3}), ramp({5})}}}), HasSubstr("a bias of shape 5 for 4 channels"));
}

TEST(BadCaffe, AConvolutionsWeightsHaveAtLeastThreeAxes) {
  const std::string conv =
      "layer { name: 'c' type: 'Convolution' bottom: 'r' top: 'c' convolution_param { num_output: "
      "1 bias_term: false } }";
  const std::string deconv =
      "layer { name: 'c' type: 'Deconvolution' bottom: 'r' top: 'c' convolution_param { "
      "num_output: 1 bias_term: false } }";
  const std::string flat = "layer { name: 'r' type: 'Flatten' bottom: 'data' top: 'r' }";
  for (const std::string& layer : {conv, deconv})
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 60}})
      EXPECT_THAT(refusal(flat + layer, {{"c", {ramp(shape)}}}),
                  AllOf(HasSubstr("layer 'c'"), HasSubstr("has weights of"), HasSubstr("for a blob of 2 axes")));
}

TEST(BadCaffe, ABlobOfMoreThanEightAxesIsRefusedWhereItIsMade) {
  std::string layers, from = "data";
  for (const std::string to : {"a", "b", "c", "d", "e"}) {
    layers += "layer { name: '" + to + "' type: 'Reshape' bottom: '" + from + "' top: '" + to +
              "' reshape_param { axis: -1 shape { dim: 1 } } }";
    from = to;
    if (to == "d") {
      Shape shape;
      computed(layers, {}, &shape);
      EXPECT_EQ(shape, (Shape{1, 2, 6, 5, 1, 1, 1, 1}));
    }
  }
  EXPECT_THAT(refusal(layers), HasSubstr("layer 'e' (Reshape) makes a blob of 9 axes; at most 8 are known"));
}

TEST(BadCaffe, ABlobWithNumbersInBothPrecisionsIsRefused) {
  // NetParameter.layer = 100; LayerParameter.name = 1, blobs = 7; BlobProto.data = 5, shape = 7, double_data = 8.
  const auto field = [](int number, const std::string& content) {
    std::string s;
    for (int tag = number << 3 | 2; tag > 0; tag >>= 7) s += static_cast<char>(tag > 127 ? (tag & 127) | 128 : tag);
    return s + static_cast<char>(content.size()) + content;
  };
  const auto read = [&](const std::string& numbers) {
    const std::string file = field(100, field(1, "c") + field(7, field(7, field(1, "\3")) + numbers));
    return parse_caffe_weights(std::as_bytes(std::span(file)), "both");
  };
  const std::string one = field(5, std::string(4, '\0')), three = field(8, std::string(24, '\0'));
  EXPECT_EQ(read(three).at("c").at(0).shape(), Shape{3});
  EXPECT_THAT(message_of([&] { read(one + three); }),
              HasSubstr("both: blob 0 of layer 'c' holds 1 numbers in 'data' and 3 in 'double_data'"));
}

TEST(BadCaffe, WeightsThatAreCutOffOrAlteredAreRefused) {
  const auto bytes = read_bytes(data_path("caffe/resnet.caffemodel"));
  const std::string text = [] {
    const auto b = read_bytes(data_path("caffe/resnet.prototxt"));
    return std::string(reinterpret_cast<const char*>(b.data()), b.size());
  }();
  for (std::size_t size = 0; size < bytes.size(); size += 97)
    EXPECT_NE(message_of([&] {
                lower(parse_caffe(text, parse_caffe_weights(std::span(bytes).first(size), "cut"), "net"), {});
              }),
              "no error")
        << size;
  EXPECT_THAT(message_of([] { read_model(data_path("caffe/none.prototxt")); }), HasSubstr("no such model file"));
  EXPECT_THAT(message_of([] { read_model(data_path("caffe/fcn.caffemodel")); }), HasSubstr("give the .prototxt"));
}

}  // namespace
}  // namespace isocenter::infer::test
