// Calibration: a reconstructed water disc with inserts, off by a scale and an offset; inserts' line; every message.
#include <gmock/gmock.h>

#include <isocenter/recon/hounsfield_calibration.hpp>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(HounsfieldCalibrationOperator);

constexpr double inserts_hu[] = {-800, -100, 60, 300};
constexpr double inserts_at[][2] = {{45, 0}, {0, 45}, {-45, 0}, {0, -45}};

/// A phantom with four inserts, reconstructed to 1.07 times its values + 0.0004 /mm: a scanner out of calibration.
Volume scanner_image() {
  detail::Solids solids{{disc(0, 0, 80, 1.0)}, detail::Composition::painted};
  for (std::size_t i = 0; i < 4; ++i)
    solids.list.push_back(disc(inserts_at[i][0], inserts_at[i][1], 12, 1.0 + inserts_hu[i] / 1000));
  const CircularOrbit orbit = fan_orbit();
  const Slice slice = slice_of(line_integrals_of(solids, orbit, 0.02059 * 1.07), orbit);
  std::vector<float> values = slice.values;
  for (float& v : values) v += 0.0004F;
  return Volume::own(values, 128, 128, 1, Geometry::centred(128, 128, 1, {slice.spacing_mm, slice.spacing_mm, 2}),
                     "1/mm");
}
Slice as_slice(const Outcome& out) {
  const auto v = out.values("output", "voxels");
  return {128, 200.0 / 128, {v.begin(), v.end()}};
}

TEST_P(HounsfieldCalibrationOperator, MeasuresWaterAndAirInTheVolume) {
  const Volume image = scanner_image();
  const auto out = run_once<HounsfieldCalibration>(
      {.water_centre_mm = {0, 0, 0}, .water_radius_mm = 20, .air_centre_mm = {0, 93, 0}, .air_radius_mm = 5}, {"input"},
      {image}, {"output"}, options());
  EXPECT_EQ(out.outputs.at("output").text("unit"), "HU");
  const Slice hu = as_slice(out);
  picture("hounsfield_calibration_after", hu, -200, 400);
  for (std::size_t i = 0; i < 4; ++i) {
    const double mean = hu.mean(inserts_at[i][0], inserts_at[i][1], 0, 8);
    std::printf("insert of %.0f HU: %.1f HU\n", inserts_hu[i], mean);
    EXPECT_NEAR(mean, inserts_hu[i], 6.0);
  }
  EXPECT_NEAR(hu.mean(20), 0.0, 0.01) << "by definition";
}

TEST_P(HounsfieldCalibrationOperator, FitsALineThroughInserts) {
  std::vector<float> values;
  for (int i = 0; i < 2 * 3 * 19; ++i) values.push_back(static_cast<float>(0.0004 * i));
  const Volume image = Volume::own(values, 19, 3, 2, Geometry::centred(19, 3, 2, {1, 1, 1}), "1/mm");
  // HU = 50000 v - 1000, and one insert off by 30 in the middle of three: the line moves by 10, the slope stays.
  const auto out =
      run_once<HounsfieldCalibration>({.measured_values = {0.01, 0.02, 0.03}, .nominal_hu = {-500, 30, 500}}, {"input"},
                                      {image}, {"output"}, options());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(out.values("output", "voxels")[i], 50000 * values[i] - 990, 2e-3);
}

TEST(HounsfieldCalibrationMessages, SayWhatIsWrong) {
  const Volume image =
      Volume::own(std::vector<float>(60, 0.02F), 5, 4, 3, Geometry::centred(5, 4, 3, {1, 1, 1}), "1/mm");
  const auto message = [&](const HounsfieldCalibration::Params& params) {
    return error_of([&] { run_once<HounsfieldCalibration>(params, {"input"}, {image}); });
  };
  EXPECT_THAT(message({}), HasSubstr("water_value and air_value are both 0"));
  EXPECT_THAT(message({.measured_values = {1, 2}, .nominal_hu = {1}}), HasSubstr("2 measured_values and 1 nominal_hu"));
  EXPECT_THAT(message({.measured_values = {2, 2}, .nominal_hu = {1, 5}}),
              HasSubstr("all measured_values are the same"));
  EXPECT_THAT(message({.water_centre_mm = {1}, .water_radius_mm = 1}), HasSubstr("water_centre_mm has 1 numbers"));
  EXPECT_THAT(message({.water_centre_mm = {9, 0, 0}, .water_radius_mm = 1}),
              HasSubstr("water_centre_mm lies outside of the volume along its axis x (voxel 11 of 5)"));
  EXPECT_THAT(message({.water_centre_mm = {0.5, 0, 0}, .water_radius_mm = 0.1}),
              HasSubstr("no voxel's centre lies in the region of water"));
  EXPECT_THAT(
      message({.water_centre_mm = {0, 0, 0}, .water_radius_mm = 1, .air_centre_mm = {1, 0, 0}, .air_radius_mm = 1}),
      HasSubstr("which make no scale"));
  EXPECT_THAT(message({.water_value = 0.25, .air_value = 0.5}), HasSubstr("water, 0.25, is below air, 0.5"));
  EXPECT_THAT(message({.measured_values = {0, 0.02}, .nominal_hu = {0, -1000}}), HasSubstr("inserts falls"));
}

TEST(HounsfieldCalibrationMessages, RefuseMoreSlicesThanKernelsCount) {
  Pipeline pipeline(context());
  const auto in =
      pipeline.add_input("in", Volume::describe(1, 1, 65535, 65535, Geometry::centred(1, 1, 1, {1, 1, 1}), "1/mm"));
  const auto node = pipeline.add<HounsfieldCalibration>("node", {.measured_values = {1, 2}, .nominal_hu = {1, 5}});
  pipeline.connect(in, node.input);
  pipeline.add_output("out", node.output);
  EXPECT_THAT(error_of([&] { pipeline.prepare({.device = "cpu"}); }), HasSubstr("65535 frames of 65535 slices"));
}

}  // namespace
}  // namespace isocenter::testing
