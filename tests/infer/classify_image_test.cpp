// Classification: what the network is given, held to torchvision 0.21 (Resize with antialias, CenterCrop, Normalize;
// the tables below), and what is made of its scores, held to the formulas.
#include <gmock/gmock.h>

#include <cmath>
#include <isocenter/infer/classify_image.hpp>
#include <isocenter/isocenter.hpp>

#include "device_test.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using namespace infer::test::tiny;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int nx = 8, ny = 5;

/// A network whose scores are its input, channel after channel.
std::string shown_image(std::int64_t channels, std::int64_t height, std::int64_t width, const std::string& more) {
  return model(node("Flatten", {"x"}, "y") + port(11, "x", {1, channels, height, width}) +
               port(12, "y", {1, channels * height * width})) +
         metadata("isocenter.activation", "none") + more;
}
std::string imagenet_means() {
  return metadata("isocenter.mean", "0.485 0.456 0.406") + metadata("isocenter.deviation", "0.229 0.224 0.225");
}
/// The given logits, whatever the image.
std::string constant_scores(const std::vector<float>& logits, const std::string& more) {
  return model(node("GlobalAveragePool", {"x"}, "a") + node("Flatten", {"a"}, "b") + node("MatMul", {"b", "w"}, "c") +
               node("Add", {"c", "l"}, "y") +
               initialiser("w", {1, logits.size()}, floats(std::vector<float>(logits.size()))) +
               initialiser("l", {1, logits.size()}, floats(logits)) + port(11, "x", {1, 1, -1, -1}) +
               port(12, "y", {1, static_cast<std::int64_t>(logits.size())})) +
         more;
}

int pixel(int x, int y, int c) { return (37 * (y * nx + x) + 91 * c * c + 11 * c) % 256; }

Frames pictures(int count) {
  Frames frames = Frames::describe(count, ny, nx, 0.1);
  context().allocate(frames);
  const auto to = frames.pixels().span<std::uint8_t>();
  for (int i = 0; i < nx * ny; ++i)
    for (int c = 0; c < 3; ++c)
      for (int n = 0; n < count; ++n)
        to[static_cast<std::size_t>((n * nx * ny + i) * 3 + c)] =
            static_cast<std::uint8_t>(n == 0 ? pixel(i % nx, i / nx, c) : 255 - pixel(i % nx, i / nx, c));
  return frames;
}
Volume slices(int count) {
  std::vector<float> v;
  for (int n = 0; n < count; ++n)
    for (int i = 0; i < nx * ny; ++i) v.push_back(static_cast<float>(pixel(i % nx, i / nx, 0) * (n + 1)));
  return volume(v, nx, ny, count, {0.5, 2, 4});
}

std::vector<double> scores_of(const Payload& p) {
  const auto v = p.numbers("classification.scores");
  return {v.begin(), v.end()};
}

ISOCENTER_DEVICE_SUITE(ClassifyImageTest);

// Resize(4), CenterCrop((3, 4)), Normalize of a picture of 8 x 5.
const std::vector<double> bilinear = {
    -0.9962326, -0.1610114, 0.70301,    0.9902385,  -0.1970776, 0.6381437,  1.00399,    -0.7679026, 0.6020777,
    1.204817,   -0.52167,   -1.247396,  0.8967086,  1.648714,   0.6985604,  -0.9940476, 0.7799953,  0.4624816,
    -0.7932477, -0.1770543, -1.01739,   -1.097233,  -0.2139248, 0.6399392,  1.602963,   1.337563,   -0.825241,
    -0.2793899, 1.486768,   -0.4856356, -0.3160967, 0.5339724,  -0.3026289, -0.3821165, 0.4972658,  1.347335};
const std::vector<double> bicubic = {
    -1.081858, -0.2456618, 0.7373576,  1.301394,   -0.2446679, 0.6739601, 1.400249,   -0.8928165, 0.6409834,
    1.547782,  -0.7234674, -1.421087,  0.9304057,  1.999668,   0.8797764, -1.217698,  0.9586173,  0.5781237,
    -1.077825, -0.2168285, -1.282084,  -1.419038,  -0.1844989, 0.6835113, 1.69278,    1.673772,   -1.116647,
    -0.368539, 1.765719,   -0.7951238, -0.4559612, 0.5038663,  -0.575326, -0.5140592, 0.5364261,  1.466303};
// Resize((7, 11)), CenterCrop((9, 7)), Normalize of one channel in place of three: the first of them.
const std::vector<double> enlarged = {
    -2.117904,  -2.117904,  -2.117904, -2.117904,  -2.117904,  -2.117904, -2.117904,  -1.282683,  -0.8218714,
    -0.3610597, 0.09975163, 0.5605634, 1.021375,   1.482187,   -0.89126,  -0.4304485, 0.03036323, 0.4911745,
    0.9519864,  1.412798,   0.1655814, -0.4019813, 0.05883018, 0.5196421, 0.9804532,  1.156594,   0.7064569,
    -1.024701,  0.08729738, 0.5481087, 1.008921,   1.469732,   0.9341932, -1.793312,  -1.53177,   0.5765761,
    1.037388,   1.498199,   0.3933186, -0.9962332, -1.446369,  -1.042491, 1.065855,   1.441265,   0.5356539,
    -0.6830943, -1.474836,  -1.014024, -0.5532128, 1.457278,   1.718819,  -1.008688,  -1.544225,  -1.083413,
    -0.6226016, -0.1617899, -2.117904, -2.117904,  -2.117904,  -2.117904, -2.117904,  -2.117904,  -2.117904};

TEST_P(ClassifyImageTest, PicturesComeToTheNetworkAsByTorchvision) {
  for (const bool cubic : {false, true}) {
    const ModelFile file(shown_image(3, 3, 4,
                                     imagenet_means() + metadata("isocenter.resize", "4") +
                                         metadata("isocenter.interpolation", cubic ? "bicubic" : "bilinear")));
    const auto got = scores_of(apply<ClassifyImage>(context(), {.model = file}, pictures(2), options()));
    const auto& expected = cubic ? bicubic : bilinear;
    ASSERT_EQ(got.size(), 2 * expected.size());
    const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 2e-6) << i << (cubic ? " bicubic" : " bilinear");
      // The second picture is the first one's negative.
      const double value = expected[i] * deviation[i / 12] + mean[i / 12];
      ASSERT_NEAR(got[expected.size() + i], (1 - value - mean[i / 12]) / deviation[i / 12], 4e-6) << i;
    }
  }
}

TEST_P(ClassifyImageTest, AGreySliceFillsThreeChannelsAndZerosWhatIsBeyondIt) {
  const ModelFile file(shown_image(3, 9, 7, imagenet_means()));
  const auto got = scores_of(apply<ClassifyImage>(
      context(), {.model = file, .intensity = "clip 0 255 scale 0 1", .resize = {11, 7}}, slices(1), options()));
  ASSERT_EQ(got.size(), 3 * enlarged.size());
  const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::size_t c = i / enlarged.size();
    const double value = enlarged[i % enlarged.size()] * deviation[0] + mean[0];
    ASSERT_NEAR(got[i], (value - mean[c]) / deviation[c], 4e-6) << i;
  }
}

TEST_P(ClassifyImageTest, AWindowIsClippedAndColoursBecomeTheirLuma) {
  const ModelFile file(shown_image(1, ny, nx, ""));
  const auto grey = scores_of(
      apply<ClassifyImage>(context(), {.model = file, .intensity = "clip 50 200 scale -1 2"}, slices(2), options()));
  const auto luma = scores_of(apply<ClassifyImage>(context(), {.model = file}, pictures(1), options()));
  ASSERT_EQ(grey.size(), 2U * nx * ny);
  for (int i = 0; i < nx * ny; ++i) {
    const int x = i % nx, y = i / nx;
    for (int n = 0; n < 2; ++n)
      ASSERT_NEAR(grey[static_cast<std::size_t>(n * nx * ny + i)],
                  -1 + 3 * (std::clamp(pixel(x, y, 0) * (n + 1), 50, 200) - 50) / 150.0, 1e-5);
    ASSERT_NEAR(luma[static_cast<std::size_t>(i)],
                (0.299 * pixel(x, y, 0) + 0.587 * pixel(x, y, 1) + 0.114 * pixel(x, y, 2)) / 255, 1e-6);
  }
}

TEST_P(ClassifyImageTest, ScoresFollowSoftmaxAndSigmoidAndTheBestAreNamedInOrder) {
  const std::vector<float> logits = {1.5F, -2, 4, 0.25F, 4};
  double sum = 0;
  for (const float v : logits) sum += std::exp(static_cast<double>(v));
  const std::string names = metadata("isocenter.class_names", "normal\\effusion\\nodule\\fracture\\other");
  for (const bool softmax : {true, false}) {
    const ModelFile file(
        constant_scores(logits, names + metadata("isocenter.activation", softmax ? "softmax" : "sigmoid")));
    Pipeline pipeline(context());
    const Volume in = slices(3);
    const auto input = pipeline.add_input("in", in);
    const auto classify = pipeline.add<ClassifyImage>("classify", {.model = file, .crop = {4, 4}, .top = 3});
    pipeline.connect(input, classify.input);
    pipeline.add_output("scores", classify.output);
    Session session = pipeline.prepare(options());
    session.start();
    session.push("in", in);
    session.end_input("in");
    const Volume out{context().copy_to(*session.pull("scores"), "cpu")};
    EXPECT_STREQ(out.voxels().axes, "czyx");
    ASSERT_EQ(out.voxels().count(), 15);
    for (std::size_t c = 0; c < 5; ++c) {
      const double v = static_cast<double>(logits[c]);
      const double expected = softmax ? std::exp(v) / sum : 1 / (1 + std::exp(-v));
      for (std::size_t image = 0; image < 3; ++image) {
        EXPECT_NEAR(out.values()[c * 3 + image], expected, 1e-7);
        EXPECT_NEAR(out.numbers("classification.scores")[image * 5 + c], expected, 1e-12);
      }
    }
    EXPECT_THAT(out.numbers("classification.top"), ::testing::ElementsAre(2, 4, 0, 2, 4, 0, 2, 4, 0));
    EXPECT_EQ(out.text("labels.names"), "normal\\effusion\\nodule\\fracture\\other");
    EXPECT_EQ(out.text("classification.scale"), softmax ? "softmax" : "sigmoid");
    EXPECT_EQ(out.unit(), "1");
    // A voxel as large as the image, around its middle.
    const Geometry from = in.geometry(), to = out.geometry();
    EXPECT_DOUBLE_EQ(to.spacing_mm[0], 0.5 * nx);
    EXPECT_DOUBLE_EQ(to.spacing_mm[1], 2.0 * ny);
    EXPECT_DOUBLE_EQ(to.spacing_mm[2], 4);
    const auto middle = from.position_mm(3.5, 2, 0);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_DOUBLE_EQ(to.origin_mm[k], middle[k]);
    const std::string report = session.report();
    EXPECT_THAT(report, AllOf(HasSubstr("score nodule"), HasSubstr("top_class"), HasSubstr("top_score"),
                              HasSubstr("0 = normal, 1 = effusion, 2 = nodule, 3 = fracture, 4 = other")));
  }
}

TEST(ClassifyImageErrors, NameWhatIsMissingOrContradicts) {
  const auto refusal = [](const std::string& bytes, ClassifyImage::Params params, const Payload& in) {
    const ModelFile file(bytes);
    params.model = file;
    return error_of([&] { apply<ClassifyImage>(context(), params, in); });
  };
  const std::string softmax = metadata("isocenter.activation", "softmax");
  const std::string three = constant_scores({1, 2, 3}, softmax);
  const Volume in = slices(1);
  const auto with = [](auto member, auto value) {
    ClassifyImage::Params p;
    p.crop = {4, 4};
    p.*member = value;
    return p;
  };
  using P = ClassifyImage::Params;
  EXPECT_THAT(refusal(constant_scores({1, 2}, ""), with(&P::top, 1), in),
              AllOf(HasSubstr("neither activation nor the model's metadata"), HasSubstr("set activation to softmax")));
  EXPECT_THAT(refusal(three, {}, in), HasSubstr("says how large its images are. Fix: set the parameter crop"));
  EXPECT_THAT(refusal(three, with(&P::names, "a/b"), in), HasSubstr("names holds 2 names, and the network has 3"));
  EXPECT_THAT(refusal(constant_scores({1, 2, 3}, softmax + metadata("isocenter.class_names", "a\\b\\c\\d")),
                      with(&P::top, 1), in),
              HasSubstr("'isocenter.class_names' holds 4 names, and the network has 3 classes"));
  EXPECT_THAT(refusal(three, with(&P::mean, std::vector<double>{1, 2, 3}), in), HasSubstr("mean has 3 numbers, and"));
  EXPECT_THAT(refusal(three, with(&P::intensity, "z_score"), in), HasSubstr("put scale_intensity"));
  EXPECT_THAT(refusal(three, with(&P::resize, std::vector<double>{1, 2, 3}), in), HasSubstr("resize has 3 numbers"));
  EXPECT_THAT(refusal(constant_scores({1}, softmax), with(&P::top, 1), in), HasSubstr("softmax over one class"));
  EXPECT_THAT(refusal(shown_image(3, 4, 4, ""), with(&P::crop, std::vector<double>{5, 4}), in),
              HasSubstr("crop is 5 x 4, and"));
  EXPECT_THAT(refusal(identity(softmax), with(&P::top, 1), in), HasSubstr("float32 (1, 1 or 3 channels, y, x)"));
  const std::string image = model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, 4, 4}) + port(12, "y", {1, 1, 4, 4}));
  EXPECT_THAT(refusal(image + softmax, with(&P::top, 1), in), HasSubstr("one float32 score for each class is needed"));
  EXPECT_THAT(refusal(three + metadata("isocenter.interpolation", "lanczos"), with(&P::top, 1), in),
              HasSubstr("'isocenter.interpolation' is 'lanczos', and one of 'bilinear', 'bicubic' is allowed"));
  EXPECT_THAT(refusal(three + metadata("isocenter.resize", "0"), with(&P::top, 1), in),
              HasSubstr("'isocenter.resize' is '0', and each number lies in [1"));
}

TEST_P(ClassifyImageTest, ImagesInBatchesScoreAsEachAlone) {
  const std::vector<float> weights = {0.25F, -1, 0.5F, 0.125F, 2, -0.5F};
  const ModelFile file(model(node("GlobalAveragePool", {"x"}, "a") + node("Flatten", {"a"}, "b") +
                             node("MatMul", {"b", "w"}, "y") + initialiser("w", {3, 2}, floats(weights)) +
                             port(11, "x", {-1, 3, 4, 4}) + port(12, "y", {-1, 2})) +
                       metadata("isocenter.activation", "none"));
  const auto alone = scores_of(apply<ClassifyImage>(context(), {.model = file}, pictures(5), options()));
  for (const int batch : {2, 4, 5, 9}) {
    const Payload out = apply<ClassifyImage>(context(), {.model = file, .batch = batch}, pictures(5), options());
    const auto scores = scores_of(out);
    ASSERT_EQ(scores.size(), 10U);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(scores[i], alone[i], 1e-6) << batch;
    EXPECT_EQ(out.text("classification.model_sha256").size(), 64U);
  }
  EXPECT_NE(alone[0], alone[2]);
  const ModelFile single(shown_image(3, 4, 4, ""));
  EXPECT_THAT(error_of([&] { apply<ClassifyImage>(context(), {.model = single, .batch = 2}, pictures(5), options()); }),
              HasSubstr("batch = 2, and the input 'x' of the model takes 1 item"));
}

/// Seven pictures, three at once; the last one is left by the stream's end.
TEST_P(ClassifyImageTest, ItemsOfAStreamThatRunTogetherScoreAsEachAlone) {
  const std::vector<float> weights = {0.25F, -1, 0.5F, 0.125F, 2, -0.5F};
  const ModelFile file(model(node("GlobalAveragePool", {"x"}, "a") + node("Flatten", {"a"}, "b") +
                             node("MatMul", {"b", "w"}, "y") + initialiser("w", {3, 2}, floats(weights)) +
                             port(11, "x", {-1, 3, 4, 4}) + port(12, "y", {-1, 2})) +
                       metadata("isocenter.activation", "softmax"));
  std::vector<Frames> items;
  std::vector<std::vector<double>> alone;
  for (int i = 0; i < 7; ++i) {
    items.push_back(pictures(1));
    for (std::uint8_t& v : items.back().pixels().span<std::uint8_t>()) v = static_cast<std::uint8_t>(v / (i + 1));
    alone.push_back(scores_of(apply<ClassifyImage>(context(), {.model = file}, items.back(), options())));
  }
  ClassifyImage::Params params{.model = file};
  params.stream_batch = 3;
  std::size_t came = 0;
  run_stream<ClassifyImage>(context(), params, items, options(), [&](std::size_t i, const Payload& out) {
    const auto scores = scores_of(out);
    ASSERT_EQ(scores.size(), 2U);
    for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(scores[k], alone[i][k], 1e-6) << "item " << i;
    EXPECT_EQ(values<float>(out, "voxels")[0], static_cast<float>(scores[0]));
    EXPECT_EQ(out.numbers("classification.top")[0], scores[0] >= scores[1] ? 0 : 1);
    ++came;
  });
  EXPECT_EQ(came, 7U);
  EXPECT_GT(std::fabs(alone[0][0] - alone[6][0]), 1e-3);
  EXPECT_THAT(error_of([&] { apply<ClassifyImage>(context(), params, pictures(2), options()); }),
              AllOf(HasSubstr("stream_batch = 3"), HasSubstr("each of these has 2"), HasSubstr("set batch instead")));
  const ModelFile single(shown_image(3, 4, 4, ""));
  params.model = single;
  EXPECT_THAT(error_of([&] { apply<ClassifyImage>(context(), params, pictures(1), options()); }),
              HasSubstr("stream_batch = 3, and the input 'x' of the model takes 1 item"));
}

}  // namespace
}  // namespace isocenter::testing
