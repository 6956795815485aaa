// int8 on the CPU: ranges measured, carried by the model, and what they cost in accuracy; what does not fit is refused.
#include "infer/calibration.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <isocenter/infer/calibrate_network.hpp>

#include "fixture.hpp"
#include "infer/calibrate_network.hpp"
#include "infer/onednn_steps.hpp"
#include "message_of.hpp"
#include "model_file.hpp"
#include "thorax_labels.hpp"

namespace isocenter::infer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Ranges, HoldAllButTheirPartOfTheValues) {
  std::vector<float> ramp(100000);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 1000.0F - 20.0F;  // [-20, 80)
  RangeRecorder signed_values, positive;
  for (std::size_t at = 0; at < ramp.size(); at += 10000)  // growing limits, a step with gaps
    signed_values.see(ramp.data() + at, 5000, 2, 2);
  std::vector<float> upper(ramp.begin() + 20000, ramp.end());
  upper[7] = NAN;
  upper[8] = INFINITY;
  positive.see(upper.data(), static_cast<std::int64_t>(upper.size()), 1, 1);
  float low = 0, high = 0;
  signed_values.range(98, low, high);
  EXPECT_NEAR(low, -19, 0.1);
  EXPECT_NEAR(high, 79, 0.1);
  signed_values.range(100, low, high);
  EXPECT_FLOAT_EQ(low, -20.0F);
  EXPECT_FLOAT_EQ(high, ramp.back());
  positive.range(90, low, high);
  EXPECT_EQ(low, 0.0F);
  EXPECT_NEAR(high, 72, 0.1);
}

class Int8 : public ::testing::TestWithParam<Fixture> {
 protected:
  void SetUp() override {
    if (!onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  }
  std::string ranges_of(const std::vector<float>& data) const {
    Runner runner(plan_cpu(load(GetParam()), {}));
    runner.executor().record_ranges();
    runner.run(data);
    return runner.executor().recorded_ranges(99.99);
  }
  Graph calibrated(const std::string& ranges) const {
    Graph graph = load(GetParam());
    graph.metadata[calibration_key] = ranges;
    return graph;
  }
  std::vector<float> x = read_floats(std::string(GetParam().name) + ".input.f32");
  std::vector<float> expected = read_floats(std::string(GetParam().name) + ".output.f32");
};
INSTANTIATE_TEST_SUITE_P(Fixtures, Int8, ::testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

/// Calibrated on other data than it runs on.
TEST_P(Int8, StaysWithinAFewPercentOfOnnxRuntimesFloat32ForEveryThreadCount) {
  std::vector<float> other(x.rbegin(), x.rend());
  const std::string ranges = ranges_of(other);
  const auto run = [&](int threads) {
    Runner runner(plan_cpu(calibrated(ranges), {.precision = Precision::int8, .threads = threads}));
    EXPECT_THAT(runner.executor().summary().precision, HasSubstr("int8 in"));
    return runner.run(x);
  };
  const auto once = run(1);
  const double error = relative_error(once, expected);
  RecordProperty("error", std::to_string(error));
  EXPECT_LT(error, 0.1);
  EXPECT_GT(error, 1e-4) << "that is no int8";
  for (const int threads : {2, 3, 4}) EXPECT_EQ(run(threads), once) << threads << " threads";
}

TEST_P(Int8, IsRefusedWithoutRangesAndWithAnotherNetworks) {
  const auto refused = [](Graph graph) {
    return message_of([&] { plan_cpu(std::move(graph), {.precision = Precision::int8}); });
  };
  EXPECT_THAT(refused(load(GetParam())), AllOf(HasSubstr("precision = int8"), HasSubstr("calibrate_network")));
  std::string ranges = ranges_of(x);
  Graph other = load(fixtures[GetParam().name == std::string("dncnn") ? 0 : 2]);
  other.metadata[calibration_key] = ranges;
  EXPECT_THAT(refused(std::move(other)), HasSubstr("another network's"));
  ASSERT_FALSE(quantisable(load(GetParam())).empty());
  const std::string header = ranges.substr(0, ranges.find('\n') + 1);
  EXPECT_THAT(refused(calibrated(header)), HasSubstr("has no range for"));
  EXPECT_THAT(refused(calibrated(header + "0 nan " + ranges.substr(header.size()))), HasSubstr("LOW HIGH ERROR"));
  EXPECT_THAT(refused(calibrated(header + "5 1 0.01 x\n")), HasSubstr("LOW HIGH ERROR"));
  EXPECT_THAT(refused(calibrated(header + "0 1 0.01 someone\n")), HasSubstr("the range of 'someone'"));
}

TEST(CalibratedFiles, KeepEveryByteAndTheLastRangesCount) {
  using namespace tiny;
  const std::string bytes = model(node("Relu", {"x"}, "y") + standard_ports()) + metadata("kept", "1");
  const std::string twice =
      with_metadata(with_metadata(bytes, "isocenter.calibration", "a"), "isocenter.calibration", std::string(300, 'b'));
  EXPECT_EQ(twice.substr(0, bytes.size()), bytes);
  const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(twice.data()), twice.size()}, "twice", "");
  EXPECT_EQ(parsed.metadata.at("kept"), "1");
  EXPECT_EQ(parsed.metadata.at(calibration_key), std::string(300, 'b'));
}

/// The network that the ranges below are measured with.
CalibrateNetwork::Params calibration(const std::string& model, const std::string& file, std::vector<double> window) {
  CalibrateNetwork::Params params;
  params.model = model;
  params.file = file;
  params.window = std::move(window);
  params.overlap = 0;
  return params;
}

/// Calibrates with a volume of noise; `before` comes between planning and running.
void calibrate(const CalibrateNetwork::Params& params, const std::function<void()>& before) {
  Pipeline pipeline(isocenter::testing::context());
  const Volume in = volume(noise(16 * 16), 16, 16, 1);
  const auto input = pipeline.add_input("input", in);
  const auto node = pipeline.add<CalibrateNetwork>("calibration", params);
  pipeline.connect(input, node.input);
  Session session = pipeline.prepare();
  before();
  session.start();
  session.push("input", in);
  session.end_input("input");
  session.wait();
}

TEST(CalibratedFiles, LeaveNothingBehindWhereTheyCannotBeWritten) {
  const auto folder = std::filesystem::temp_directory_path() / ("isocenter_calibration_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "taken" / "by a folder");
  const std::string file = folder / "taken";
  EXPECT_THAT(isocenter::testing::error_of([&] {
                calibrate(calibration(data_path("dncnn.onnx"), file, {16, 16, 1}), [] {});
              }),
              AllOf(HasSubstr(file), HasSubstr("cannot be written")));
  const std::filesystem::directory_iterator left(folder);
  EXPECT_EQ(std::distance(begin(left), end(left)), 1);
  std::filesystem::remove_all(folder);
}

TEST(CalibratedFiles, AreRefusedWhereTheModelChangedMeanwhile) {
  const std::vector<std::byte> bytes = read_bytes(data_path("dncnn.onnx"));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const ModelFile model(text), out("");
  const auto params = calibration(model, out, {16, 16, 1});
  EXPECT_THAT(isocenter::testing::error_of([&] {
                calibrate(params, [&] {
                  std::ofstream(std::string(model), std::ios::binary)
                      << text << tiny::metadata("isocenter.axes", "any");
                });
              }),
              AllOf(HasSubstr(std::string(model)), HasSubstr("another one than when")));
  EXPECT_EQ(std::filesystem::file_size(std::string(out)), 0U);
}

OnnxModel parsed(const std::string& text) {
  return parse_onnx({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "test.onnx", "");
}
std::string weights_of(std::size_t count) { return tiny::floats(std::vector<float>(count, 0.5F)); }

/// Three pixels of four channels, each a batch of its own: the twelfth value is the largest.
TEST(Ranges, OfSinglePixelsHoldAllTheirChannels) {
  using namespace tiny;
  const OnnxModel model_of =
      parsed(model(node("Conv", {"x", "w"}, "y") + initialiser("w", {4, 4, 1, 1}, weights_of(16)) +
                   port(11, "x", {3, 4, 1, 1}) + port(12, "y", {3, 4, 1, 1})));
  Runner runner(plan_cpu(lower(model_of, {}), {}));
  runner.executor().record_ranges();
  std::vector<float> x(12);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  runner.run(x);
  EXPECT_THAT(runner.executor().recorded_ranges(100), ::testing::MatchesRegex(".*\n0 12 0\\.0[0-9]+ the_Conv\n"));
}

TEST(Ranges, ThatContradictOneAnotherForOneValueAreRefused) {
  if (!onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  using namespace tiny;
  const OnnxModel two =
      parsed(model(node("Conv", {"x", "w"}, "a") + node("Conv", {"x", "v"}, "b") + node("Add", {"a", "b"}, "y") +
                   initialiser("w", {4, 4, 1, 1}, weights_of(16)) + initialiser("v", {4, 4, 1, 1}, weights_of(16)) +
                   port(11, "x", {1, 4, 5, 5}) + port(12, "y", {1, 4, 5, 5})));
  Runner runner(plan_cpu(lower(two, {}), {}));
  runner.executor().record_ranges();
  runner.run(std::vector<float>(100, 1.0F));
  const std::string header = runner.executor().recorded_ranges(100).substr(0, 18);
  const auto plan_with = [&](const std::string& ranges) {
    Graph graph = lower(two, {});
    graph.metadata[calibration_key] = header + "\n" + ranges;
    plan_cpu(std::move(graph), {.precision = Precision::int8});
  };
  plan_with("0 1 0 the_Conv\n0 1 0 the_Conv\n");
  EXPECT_THAT(isocenter::testing::error_of([&] { plan_with("0 1 0 the_Conv\n0 2 0 the_Conv\n"); }),
              HasSubstr("gives two ranges to what"));
}

/// The project's own network: ranges from one chest, labels of another that it was not trained on either.
TEST(Calibration, TheThoraxNetworksDiceInInt8IsThatOfFloat32WithinAHundredth) {
  if (!onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  const ModelFile file("");
  {
    Pipeline pipeline(isocenter::testing::context());
    const auto phantom = pipeline.add<PhantomVolume>("phantom", chest_of(100002));
    const auto node = pipeline.add<CalibrateNetwork>("calibration", calibration(thorax_model(), file, {}));
    pipeline.connect(phantom.output, node.input);
    Session session = pipeline.prepare();
    session.start();
    session.wait();
  }
  SegmentVolume::Params params;
  params.model = thorax_model();
  params.overlap = 0;
  const ThoraxLabels wide = label_chest(100001, params);
  params.model = file;
  params.precision = NetworkPrecision::int8;
  const ThoraxLabels narrow = label_chest(100001, params);
  EXPECT_NE(wide.found, narrow.found) << "both ran in the same precision";
  for (int label = 0; label < 5; ++label)
    EXPECT_NEAR(dice(wide, label), dice(narrow, label), 0.01) << "label " << label;
}

}  // namespace
}  // namespace isocenter::infer::test
