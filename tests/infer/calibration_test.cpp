// int8 on the CPU: ranges measured, carried by the model, and what they cost in accuracy; what does not fit is refused.
#include "infer/calibration.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <isocenter/infer/calibrate_network.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

#include "device_test.hpp"
#include "fixture.hpp"
#include "infer/calibrate_network.hpp"
#include "infer/onednn_steps.hpp"
#include "tiny_model.hpp"

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
  const auto refused = [&](Graph graph) {
    try {
      plan_cpu(std::move(graph), {.precision = Precision::int8});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(refused(load(GetParam())), AllOf(HasSubstr("precision = int8"), HasSubstr("calibrate_network")));
  std::string ranges = ranges_of(x);
  Graph other = load(fixtures[GetParam().name == std::string("dncnn") ? 0 : 2]);
  other.metadata[calibration_key] = ranges;
  EXPECT_THAT(refused(std::move(other)), HasSubstr("another network's"));
  ASSERT_FALSE(quantisable(load(GetParam())).empty());
  const std::string header = ranges.substr(0, ranges.find('\n') + 1);
  EXPECT_THAT(refused(calibrated(header)), HasSubstr("has no range for"));
  EXPECT_THAT(refused(calibrated(header + "0 nan " + ranges.substr(header.size()))), HasSubstr("LOW HIGH"));
  EXPECT_THAT(refused(calibrated(header + "5 1 x\n")), HasSubstr("LOW HIGH"));
  EXPECT_THAT(refused(calibrated(header + "0 1 someone\n")), HasSubstr("the range of 'someone'"));
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

PhantomVolume::Params chest_of(std::uint32_t seed) {
  PhantomVolume::Params chest;
  chest.phantom = PhantomKind::moving_thorax;
  chest.seed = seed;
  chest.nx = 112;
  chest.ny = chest.nz = 96;
  chest.spacing_mm = {3};
  chest.centre_mm = {0, 10, -40};
  return chest;
}

/// 2 |a and b| / (|a| + |b|) of one label.
double dice(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b, int label) {
  double both = 0, sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] == label && b[i] == label ? 1 : 0;
    sum += (a[i] == label ? 1 : 0) + (b[i] == label ? 1 : 0);
  }
  return 2 * both / sum;
}

/// The project's own network: ranges from one chest, labels of another that it was not trained on either.
TEST(Calibration, TheThoraxNetworksDiceInInt8IsThatOfFloat32WithinAHundredth) {
  if (!onednn_has_int8()) GTEST_SKIP() << "this processor has no int8";
  const std::string model = std::string(ISOCENTER_SOURCE_DIR) + "/models/thorax_segmentation/thorax_segmentation.onnx";
  const std::string file = (std::filesystem::temp_directory_path() / "isocenter_calibration_test.onnx").string();
  {
    Pipeline pipeline(isocenter::testing::context());
    const auto phantom = pipeline.add<PhantomVolume>("phantom", chest_of(100002));
    CalibrateNetwork::Params params;
    params.model = model;
    params.file = file;
    params.overlap = 0;
    const auto calibration = pipeline.add<CalibrateNetwork>("calibration", params);
    pipeline.connect(phantom.output, calibration.input);
    Session session = pipeline.prepare();
    session.start();
    session.wait();
  }
  std::vector<std::uint8_t> truth, found[2];
  for (const bool narrow : {false, true}) {
    Pipeline pipeline(isocenter::testing::context());
    const auto phantom = pipeline.add<PhantomVolume>("phantom", chest_of(100001));
    SegmentVolume::Params params;
    params.model = narrow ? file : model;
    params.overlap = 0;
    if (narrow) params.precision = NetworkPrecision::int8;
    const auto network = pipeline.add<SegmentVolume>("network", params);
    pipeline.connect(phantom.output, network.input);
    pipeline.add_output("truth", phantom.labels);
    pipeline.add_output("found", network.output);
    Session session = pipeline.prepare();
    session.start();
    const auto t = session.pull("truth"), f = session.pull("found");
    ASSERT_TRUE(t && f);
    const auto labels = [](const Payload& p) {
      const auto s = p.tensor("labels").span<std::uint8_t>();
      return std::vector<std::uint8_t>(s.begin(), s.end());
    };
    truth = labels(*t);
    found[narrow ? 1 : 0] = labels(*f);
  }
  std::filesystem::remove(file);
  EXPECT_NE(found[0], found[1]) << "both ran in the same precision";
  for (int label = 0; label < 5; ++label)
    EXPECT_NEAR(dice(truth, found[0], label), dice(truth, found[1], label), 0.01) << "label " << label;
}

}  // namespace
}  // namespace isocenter::infer::test
