// segment_volume and network_inference in pipelines. The networks are written here, so that what they compute is known.
// ISOCENTER_TEST_ENGINE=ENGINE in the environment runs them through another engine.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>
#include <thread>

#include "device_test.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using namespace infer::test::tiny;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// apply(), through the engine that the environment asks for.
template <class Op>
Payload run_network(const Context& c, typename Op::Params params, const Volume& in,
                    const SessionOptions& options = {}) {
  if (const char* engine = std::getenv("ISOCENTER_TEST_ENGINE")) params.engine = engine;
  return apply<Op>(c, params, in, options);
}

/// Class 1 where the intensity is above `limit`.
std::string above(float limit, const std::string& more = "") {
  return convolution({-1, 1}, 2, 1, {limit, -limit}, more);
}

ISOCENTER_DEVICE_SUITE(NetworkInferenceTest);
ISOCENTER_DEVICE_SUITE(SegmentVolumeTest);

TEST_P(NetworkInferenceTest, AnIdentityNetworkGivesTheVolumeBackForEveryWindow) {
  const ModelFile file(identity());
  const auto v = noise(23 * 11 * 9);
  for (const auto& window :
       std::vector<std::vector<double>>{{23, 11, 9}, {8, 8, 8}, {5, 4, 3}, {32, 16, 4}, {64, 64, 64}, {1, 1, 1}}) {
    const Payload out =
        run_network<NetworkInference>(context(), {.model = file, .window = window, .overlap = 0.5F, .intensity = ""},
                                      volume(v, 23, 11, 9), options());
    const auto got = values<float>(out, "voxels");
    for (std::size_t i = 0; i < v.size(); ++i)
      ASSERT_NEAR(got[i], v[i], 2e-4F) << "window " << window[0] << ", voxel " << i;
    EXPECT_EQ(out.text("unit"), "HU");
  }
}

TEST_P(NetworkInferenceTest, IsTheWeightedMeanOfItsWindowsWhateverTheirOrder) {
  const int n[3] = {19, 10, 12}, w[3] = {8, 10, 5};
  const ModelFile file(convolution(std::vector<float>(27, 1.0F / 27), 1, 3, {0}));
  const auto v = noise(19 * 10 * 12);
  // In float64, from the last window to the first: each window's box mean with zeros beyond the window, not the volume.
  const auto starts = [&](int k) {
    const int step = std::max(1, static_cast<int>(std::floor(w[k] * 0.6))),
              count = n[k] <= w[k] ? 1 : (n[k] - w[k] + step - 1) / step + 1;
    std::vector<int> s;
    for (int i = 0; i < count; ++i)
      s.push_back(count == 1 ? 0 : static_cast<int>(std::lround(i * static_cast<double>(n[k] - w[k]) / (count - 1))));
    return s;
  };
  const auto weight = [&](int k, int i) {
    const double d = (i - 0.5 * (w[k] - 1)) / (w[k] / 8.0);
    return std::max(1e-3, std::exp(-0.5 * d * d));
  };
  std::vector<double> sum(v.size()), total(v.size());
  const auto xs = starts(0), ys = starts(1), zs = starts(2);
  for (auto z0 = zs.rbegin(); z0 != zs.rend(); ++z0)
    for (auto y0 = ys.rbegin(); y0 != ys.rend(); ++y0)
      for (auto x0 = xs.rbegin(); x0 != xs.rend(); ++x0)
        for (int z = 0; z < w[2]; ++z)
          for (int y = 0; y < w[1]; ++y)
            for (int x = 0; x < w[0]; ++x) {
              double mean = 0;
              for (int c = -1; c <= 1; ++c)
                for (int b = -1; b <= 1; ++b)
                  for (int a = -1; a <= 1; ++a)
                    if (x + a >= 0 && x + a < w[0] && y + b >= 0 && y + b < w[1] && z + c >= 0 && z + c < w[2])
                      mean +=
                          static_cast<double>(
                              v[static_cast<std::size_t>(((*z0 + z + c) * n[1] + *y0 + y + b) * n[0] + *x0 + x + a)]) /
                          27;
              const auto at = static_cast<std::size_t>(((*z0 + z) * n[1] + *y0 + y) * n[0] + *x0 + x);
              const double g = weight(0, x) * weight(1, y) * weight(2, z);
              sum[at] += g * mean;
              total[at] += g;
            }
  for (const int batch : {1, 2, 4, 5, 256}) {  // of 9 windows: the last run has 1, 1, 3, 4 and 9
    const auto got = values<float>(
        run_network<NetworkInference>(
            context(), {.model = file, .window = {8, 10, 5}, .overlap = 0.4F, .intensity = "", .batch = batch},
            volume(v, 19, 10, 12), options()),
        "voxels");
    for (std::size_t i = 0; i < v.size(); ++i)
      ASSERT_NEAR(static_cast<double>(got[i]), sum[i] / total[i], 1e-4) << i << ", batch " << batch;
  }
}

TEST_P(NetworkInferenceTest, TheIntensityScaleIsUndoneForImages) {
  const auto v = noise(8 * 8 * 8);
  for (const char* intensity : {"clip -150 150 scale -1 1", "z_score"}) {
    const ModelFile file(identity(metadata("isocenter.intensity", intensity)));
    const auto got = values<float>(
        run_network<NetworkInference>(context(), {.model = file, .window = {8, 8, 8}, .overlap = 0, .intensity = ""},
                                      volume(v, 8, 8, 8), options()),
        "voxels");
    const float limit = intensity[0] == 'c' ? 150.0F : 1e9F;
    for (std::size_t i = 0; i < v.size(); ++i) ASSERT_NEAR(got[i], std::clamp(v[i], -limit, limit), 1e-3F) << intensity;
  }
}

TEST_P(NetworkInferenceTest, AZScoreHasMeanZeroAndDeviationOne) {
  const ModelFile file(convolution({1, 1}, 2, 1, {0, 0}));  // two channels: scores, not brought back
  auto v = noise(40 * 30 * 20);
  for (float& x : v) x += 3000.0F;
  const Payload out = run_network<NetworkInference>(
      context(), {.model = file, .window = {40, 30, 20}, .overlap = 0, .intensity = "z_score"}, volume(v, 40, 30, 20),
      options());
  EXPECT_STREQ(out.tensor("voxels").axes, "czyx");
  const auto got = values<float>(out, "voxels");
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    mean += static_cast<double>(got[i]) / static_cast<double>(v.size());
    squares += static_cast<double>(got[i]) * static_cast<double>(got[i]) / static_cast<double>(v.size());
  }
  EXPECT_NEAR(mean, 0, 1e-4);
  EXPECT_NEAR(squares, 1, 1e-4);
}

TEST_P(NetworkInferenceTest, ATwoDimensionalNetworkWorksSliceBySlice) {
  std::ifstream in(std::string(ISOCENTER_TEST_DATA) + "/dncnn.input.f32", std::ios::binary),
      truth(std::string(ISOCENTER_TEST_DATA) + "/dncnn.output.f32", std::ios::binary);
  const std::int64_t nx = 29, ny = 33;
  std::vector<float> slice(static_cast<std::size_t>(nx * ny)), expected(slice.size());
  const auto bytes = static_cast<std::streamsize>(slice.size() * sizeof(float));
  in.read(reinterpret_cast<char*>(slice.data()), bytes);
  truth.read(reinterpret_cast<char*>(expected.data()), bytes);
  std::vector<float> v = slice;
  v.insert(v.end(), slice.size(), 0.0F);
  v.insert(v.end(), slice.begin(), slice.end());
  const auto got =
      values<float>(run_network<NetworkInference>(context(),
                                                  {.model = std::string(ISOCENTER_TEST_DATA) + "/dncnn.onnx",
                                                   .window = {29, 33, 1},
                                                   .overlap = 0,
                                                   .intensity = ""},
                                                  volume(v, nx, ny, 3), options()),
                    "voxels");
  for (const std::size_t z : {std::size_t{0}, std::size_t{2}})
    for (std::size_t i = 0; i < slice.size(); ++i) ASSERT_NEAR(got[z * slice.size() + i], expected[i], 2e-5F) << z;
}

/// Seven volumes of different means and spreads, three at once; the last one is left by the stream's end.
TEST_P(NetworkInferenceTest, ItemsOfAStreamThatRunTogetherComeOutAsAlone) {
  const ModelFile file(convolution({2}, 1, 1, {0.5F}));
  std::vector<Volume> items;
  for (int i = 0; i < 7; ++i) {
    auto v = noise(9 * 8 * 7);
    for (float& x : v) x = x * static_cast<float>(1 + i) + 100.0F * static_cast<float>(i * i);
    items.push_back(volume(std::move(v), 9, 8, 7));
  }
  Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", items[0]);
  NetworkInference::Params params{.model = file, .window = {9, 8, 7}, .intensity = "z_score"};
  params.stream_batch = 3;
  const auto network = pipeline.add<NetworkInference>("network", params);
  pipeline.connect(input, network.input);
  pipeline.add_output("output", network.output);
  Session session = pipeline.prepare(options());
  EXPECT_THAT(session.report(), HasSubstr("3, at last 1"));
  session.start();
  std::jthread pushes([&] {
    for (const Volume& item : items) session.push("input", item);
    session.end_input("input");
  });
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto got = session.pull("output");
    ASSERT_TRUE(got);
    const auto out = values<float>(*got, "voxels"), in = values<float>(items[i], "voxels");
    double mean = 0, squares = 0;
    for (const float x : in) mean += static_cast<double>(x) / static_cast<double>(in.size());
    for (const float x : in) squares += std::pow(static_cast<double>(x) - mean, 2) / static_cast<double>(in.size());
    const double deviation = std::sqrt(squares);  // 2 z + 0.5, brought back
    double worst = 0;
    for (std::size_t k = 0; k < in.size(); ++k)
      worst = std::max(
          worst, std::fabs(static_cast<double>(out[k]) - 2 * static_cast<double>(in[k]) + mean - 0.5 * deviation));
    EXPECT_LT(worst, 1e-5 * (mean + 10 * deviation)) << "item " << i;
  }
  EXPECT_FALSE(session.pull("output"));
  session.wait();
}

TEST(NetworkInferenceOnCpu, AnItemThatIsNotANumberFailsAloneInItsBatch) {
  const ModelFile file(convolution({2}, 1, 1, {0}));
  NetworkInference::Params params{.model = file, .window = {4, 4, 4}, .intensity = "", .check_numbers = true};
  params.stream_batch = 4;
  std::vector<Volume> items;
  for (int i = 0; i < 9; ++i)
    items.push_back(volume(std::vector<float>(64, i == 5 ? NAN : static_cast<float>(i)), 4, 4, 4));
  Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", items[0]);
  const auto network = pipeline.add<NetworkInference>("network", params);
  pipeline.connect(input, network.input);
  pipeline.add_output("output", network.output);
  Session session = pipeline.prepare();
  session.start();
  std::jthread pushes([&] {
    for (const Volume& item : items) session.push("input", item);
    session.end_input("input");
  });
  for (const std::int64_t i : {0, 1, 2, 3, 4, 6, 7, 8}) {
    const auto out = session.pull("output");
    ASSERT_TRUE(out) << "item " << i;
    EXPECT_EQ(out->sequence(), i);
    EXPECT_NEAR(values<float>(*out, "voxels")[63], 2.0F * static_cast<float>(i), 1e-4F);
  }
  EXPECT_FALSE(session.pull("output"));
  const auto error = session.next_error();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sequence, 5);
  EXPECT_THAT(error->message, HasSubstr("not a number"));
  EXPECT_FALSE(session.next_error());
}

TEST_P(SegmentVolumeTest, LabelsWhatIsAboveALimitForEveryWindow) {
  const ModelFile two(above(30)), one(convolution({1}, 1, 1, {0}));
  const auto v = noise(23 * 11 * 9);
  for (const bool single : {false, true})
    for (const auto& window : std::vector<std::vector<double>>{{23, 11, 9}, {8, 8, 8}, {16, 16, 2}, {64, 64, 64}}) {
      const auto labels = values<std::uint8_t>(run_network<SegmentVolume>(context(),
                                                                          {.model = single ? one : two,
                                                                           .window = window,
                                                                           .overlap = 0.3F,
                                                                           .intensity = "",
                                                                           .threshold = 30,
                                                                           .batch = single ? 1 : 5},
                                                                          volume(v, 23, 11, 9), options()),
                                               "labels");
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (std::fabs(v[i] - 30) > 1e-3F) {
          ASSERT_EQ(labels[i], v[i] > 30 ? 1 : 0) << v[i];
        }
      }
    }
}

TEST_P(SegmentVolumeTest, ANetworkForAnotherSpacingFindsABallWhereItIs) {
  const ModelFile file(above(0, metadata("isocenter.spacing_mm", "2 2 2")));
  for (const double spacing : {0.7, 1.0, 2.0, 3.1}) {
    const auto n = static_cast<std::int64_t>(std::lround(48 / spacing));
    const Geometry g = Geometry::centred(n, n, n, {spacing, spacing, spacing});
    std::vector<float> v;
    std::vector<std::uint8_t> truth;
    for (std::int64_t z = 0; z < n; ++z)
      for (std::int64_t y = 0; y < n; ++y)
        for (std::int64_t x = 0; x < n; ++x) {
          const auto p = g.position_mm(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z));
          const double r = std::hypot(p[0] - 3, p[1] + 2, p[2] - 1);
          v.push_back(static_cast<float>(std::clamp((12 - r) * 100, -400.0, 400.0)));  // a slope: the border lies at 0
          truth.push_back(r < 12 ? 1 : 0);
        }
    const Payload out = run_network<SegmentVolume>(
        context(), {.model = file, .window = {16, 16, 16}, .overlap = 0.25F, .intensity = ""},
        volume(v, n, n, n, {spacing, spacing, spacing}), options());
    const auto labels = values<std::uint8_t>(out, "labels");
    double both = 0, sum = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      both += truth[i] == 1 && labels[i] == 1 ? 1 : 0;
      sum += truth[i] + labels[i];
    }
    EXPECT_GT(2 * both / sum, spacing > 3 ? 0.97 : 0.985) << spacing << " mm";
    EXPECT_EQ(out.geometry().spacing_mm[0], spacing);
  }
}

TEST_P(SegmentVolumeTest, NamesColoursAndWindowComeFromTheModel) {
  const Payload out =
      run_network<SegmentVolume>(context(), {.model = std::string(ISOCENTER_TEST_DATA) + "/unet3d.onnx"},
                                 volume(noise(20 * 20 * 20), 20, 20, 20, {2, 2, 2}), options());
  EXPECT_EQ(out.text("labels.names"), "background\\lung\\heart");
  EXPECT_THAT(out.numbers("labels.colours"), ::testing::SizeIs(9));
  EXPECT_EQ(out.text("unit"), "");
}

TEST_P(SegmentVolumeTest, FramesAreSegmentedEachOnItsOwn) {
  const ModelFile file(above(0));
  auto v = noise(2 * 6 * 5 * 4);
  Volume in = Volume::describe(6, 5, 4, 2, Geometry(), "HU");
  in.set_tensor("voxels", tensor(DType::float32, "tzyx", {2, 4, 5, 6}, v.data()));
  const Payload out = run_network<SegmentVolume>(context(), {.model = file, .window = {6, 5, 2}}, in, options());
  EXPECT_STREQ(out.tensor("labels").axes, "tzyx");
  const auto labels = values<std::uint8_t>(out, "labels");
  for (std::size_t i = 0; i < v.size(); ++i) ASSERT_EQ(labels[i], v[i] > 0 ? 1 : 0) << i;
}

TEST(SegmentVolumeOnCpu, OnlyTheLargestComponentStaysWhereAsked) {
  const ModelFile file(above(0));
  std::vector<float> v(10 * 10 * 10, -1.0F);
  for (const std::size_t i : {0U, 1U, 500U, 501U, 502U}) v[i] = 1.0F;
  const auto labels = values<std::uint8_t>(run_network<SegmentVolume>(context(),
                                                                      {.model = file,
                                                                       .window = {10, 10, 10},
                                                                       .overlap = 0,
                                                                       .intensity = "",
                                                                       .threshold = 0,
                                                                       .largest_component = true},
                                                                      volume(v, 10, 10, 10)),
                                           "labels");
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 1), 3);
  EXPECT_EQ(labels[500], 1);
}

std::string refusal(const SegmentVolume::Params& params, Volume in = volume(std::vector<float>(512), 8, 8, 8)) {
  return error_of([&] { run_network<SegmentVolume>(context(), params, in); });
}

TEST(SegmentVolumeRefuses, AModelThatIsNotThere) {
  EXPECT_THAT(refusal({.model = "nothing.onnx"}),
              AllOf(HasSubstr("nothing.onnx"), HasSubstr("no such model file"), HasSubstr("Fix:")));
}
TEST(SegmentVolumeRefuses, AWindowThatNobodyStates) {
  EXPECT_THAT(refusal({.model = ModelFile(above(0))}),
              AllOf(HasSubstr("isocenter.window"), HasSubstr("set the parameter window")));
}
TEST(SegmentVolumeRefuses, AWindowOfTwoNumbers) {
  EXPECT_THAT(refusal({.model = ModelFile(above(0)), .window = {8, 8}}), HasSubstr("window has 2 numbers"));
}
TEST(SegmentVolumeRefuses, AnIntensityScaleThatItCannotRead) {
  EXPECT_THAT(refusal({.model = ModelFile(above(0)), .window = {8, 8, 8}, .overlap = 0, .intensity = "clip 3"}),
              HasSubstr("intensity is 'clip 3'"));
}
TEST(SegmentVolumeRefuses, ADeepWindowForATwoDimensionalNetwork) {
  EXPECT_THAT(refusal({.model = std::string(ISOCENTER_TEST_DATA) + "/dncnn.onnx", .window = {8, 8, 8}}),
              HasSubstr("takes single slices"));
}
TEST(SegmentVolumeRefuses, ANetworkForSeveralChannels) {
  const ModelFile file(
      model(node("Relu", {"x"}, "y") + port(11, "x", {1, 4, -1, -1, -1}) + port(12, "y", {1, 4, -1, -1, -1})));
  EXPECT_THAT(refusal({.model = file, .window = {8, 8, 8}}),
              AllOf(HasSubstr("has 4 channels"), HasSubstr("one volume gives 1")));
}
TEST(SegmentVolumeRefuses, ANetworkThatShrinksItsInput) {
  const ModelFile file(model(node("MaxPool", {"x"}, "y", ints("kernel_shape", {2, 2, 2})) +
                             port(11, "x", {1, 1, -1, -1, -1}) + port(12, "y", {1, 1, -1, -1, -1})));
  EXPECT_THAT(refusal({.model = file, .window = {8, 8, 8}}),
              AllOf(HasSubstr("1 x 1 x 7 x 7 x 7"), HasSubstr("same grid")));
}
/// Halves y and quarters x, and goes back; with what came in added, or not.
ModelFile strided(bool adds) {
  const std::string window = ints("kernel_shape", {1, 2, 4}) + ints("strides", {1, 2, 4});
  return ModelFile(model(node("MaxPool", {"x"}, "low", window) +
                         node("ConvTranspose", {"low", "w"}, adds ? "up" : "y", window) +
                         (adds ? node("Add", {"x", "up"}, "y") : "") +
                         initialiser("w", {1, 1, 1, 2, 4}, floats(std::vector<float>(8, 1.0F))) +
                         port(11, "x", {1, 1, -1, -1, -1}) + port(12, "y", {1, 1, -1, -1, -1})));
}
TEST(SegmentVolumeRefuses, AWindowThatTheStridesDoNotDivideWithTheNearestThatTheyDo) {
  for (const bool adds : {true, false}) {
    const ModelFile file = strided(adds);
    const std::string message = refusal({.model = file, .window = {21, 9, 5}});
    EXPECT_THAT(message, AllOf(HasSubstr("window = 21, 9, 5 (x, y, z) does not suit"),
                               HasSubstr("multiples of 4 along x, 2 along y, 1 along z"),
                               HasSubstr("Fix: set window to 20, 8, 5 or 24, 10, 5.")));
    EXPECT_THAT(message, HasSubstr(adds ? "node 'the_Add' (Add, opset 17)" : "1 x 1 x 5 x 8 x 20"));
    for (const std::vector<double>& fits : {std::vector<double>{20, 8, 5}, {24, 10, 5}})
      EXPECT_NO_THROW(run_network<SegmentVolume>(context(), {.model = file, .window = fits},
                                                 volume(std::vector<float>(512), 8, 8, 8)));
    EXPECT_THAT(refusal({.model = file, .window = {3, 8, 8}}), HasSubstr("Fix: set window to 4, 8, 8."));
  }
}
TEST(SegmentVolumeRefuses, AWindowForAModelOfOneExtent) {
  const ModelFile file(
      model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, 4, 8, 16}) + port(12, "y", {1, 1, 4, 8, 16})));
  EXPECT_THAT(refusal({.model = file, .window = {16, 12, 4}}),
              AllOf(HasSubstr("window is 12 along y"), HasSubstr("takes 8 there"), HasSubstr("leave window out")));
}
TEST(SegmentVolumeRefuses, AnOperatorThatIsNotSupportedByNodeAndType) {
  const ModelFile file(
      model(node("Det", {"x"}, "y") + port(11, "x", {1, 1, -1, -1, -1}) + port(12, "y", {1, 1, -1, -1, -1})));
  EXPECT_THAT(refusal({.model = file, .window = {8, 8, 8}}),
              AllOf(HasSubstr("segment_volume"), HasSubstr("'the_Det' (Det)")));
}
TEST(SegmentVolumeRefuses, ABatchForANetworkThatTakesOneVolume) {
  const ModelFile file(
      model(node("Relu", {"x"}, "y") + port(11, "x", {1, 1, -1, -1, -1}) + port(12, "y", {1, 1, -1, -1, -1})));
  EXPECT_THAT(refusal({.model = file, .window = {4, 4, 4}, .batch = 2}),
              AllOf(HasSubstr("batch = 2"), HasSubstr("takes 1 item"), HasSubstr("free batch axis")));
}
TEST(SegmentVolumeRefuses, ABatchOfItemsOfSeveralWindows) {
  const ModelFile file(above(0));
  EXPECT_THAT(refusal({.model = file, .window = {8, 8, 4}, .overlap = 0, .stream_batch = 4}),
              AllOf(HasSubstr("stream_batch = 4"), HasSubstr("each of these has 2"), HasSubstr("set batch instead")));
}
TEST(SegmentVolumeRefuses, ABatchThatDoesNotFitAndNamesOneThatDoes) {
  const ModelFile file(above(0));
  SessionOptions options;
  options.memory_bytes = 4 << 20;
  const auto run = [&](int batch) {
    run_network<SegmentVolume>(context(), {.model = file, .window = {32, 32, 32}, .overlap = 0.5F, .batch = batch},
                               volume(std::vector<float>(64 * 64 * 48), 64, 64, 48), options);
  };
  const std::string message = error_of([&] { run(9); });
  const std::size_t at = message.find("batch = ");
  ASSERT_NE(at, std::string::npos) << message;
  const int fits = std::stoi(message.substr(at + 8));
  EXPECT_GE(fits, 1);
  EXPECT_LT(fits, 9);
  run(fits);
}
TEST(SegmentVolumeRefuses, ABatchOfItemsThatDoesNotFitAndNamesOneThatDoes) {
  const ModelFile file(above(0));
  SessionOptions options;
  options.memory_bytes = 6 << 20;
  const auto run = [&](int batch) {
    SegmentVolume::Params params{.model = file, .window = {32, 32, 32}};
    params.stream_batch = batch;
    run_network<SegmentVolume>(context(), params, volume(std::vector<float>(32 * 32 * 32), 32, 32, 32), options);
  };
  const std::string message = error_of([&] { run(64); });
  const std::size_t at = message.find("stream_batch = ");
  ASSERT_NE(at, std::string::npos) << message;
  const int fits = std::stoi(message.substr(at + 15));
  EXPECT_GE(fits, 2);
  EXPECT_LT(fits, 64);
  run(fits);
}
TEST(SegmentVolumeRefuses, ClassNamesThatDoNotFitTheNetwork) {
  EXPECT_THAT(
      refusal({.model = ModelFile(above(0, metadata("isocenter.class_names", "a\\b\\c"))), .window = {8, 8, 8}}),
      AllOf(HasSubstr("names 3 classes"), HasSubstr("2 labels")));
}
TEST(SegmentVolumeRefuses, AnAxisTooLongForAWindowBeyondTheMemoryBudget) {
  Pipeline pipeline(context());
  const Volume in = volume(std::vector<float>(512), 8, 8, 8);
  const auto input = pipeline.add_input("input", in);
  const ModelFile file(above(0));
  const auto nodes = pipeline.add<SegmentVolume>("labels", {.model = file, .window = {256, 256, 256}});
  pipeline.connect(input, nodes.input);
  pipeline.add_output("output", nodes.output);
  SessionOptions options;
  options.memory_bytes = 100 << 20;
  EXPECT_THAT(error_of([&] { pipeline.prepare(options); }), HasSubstr("labels"));
}

}  // namespace
}  // namespace isocenter::testing
