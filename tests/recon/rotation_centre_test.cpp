// The rotation axis: phantoms of known shift for each kind of turn, and a tooth in a synchrotron beam.
#include <gmock/gmock.h>

#include <fstream>
#include <isocenter/recon/line_integrals.hpp>
#include <isocenter/recon/rotation_centre.hpp>
#include <iterator>

#include "correction_test_data.hpp"

namespace isocenter::testing {
namespace {

using ::testing::HasSubstr;

detail::Solids off_centre_object() {
  return {{disc(10, -5, 60, 1.0), disc(-20, 15, 12, 0.6), disc(35, 10, 6, 1.2), disc(5, -40, 9, -0.7)},
          detail::Composition::additive};
}

/// Projections taken with a detector that is `columns` off, said to be centred.
Projections shifted_scan(CircularOrbit orbit, double columns) {
  const std::vector<View> said = orbit.build();
  orbit.detector_offset_u_mm -= columns * orbit.column_step_mm;
  const std::vector<float> p = line_integrals_of(off_centre_object(), orbit, 0.02);
  return projections_from(p, orbit.views, orbit.rows, orbit.columns, said, orbit.beam);
}

CircularOrbit parallel(int views, double arc_deg) {
  CircularOrbit o{.views = views, .columns = 201, .rows = 1, .column_step_mm = 1, .row_step_mm = 1};
  o.arc_rad = arc_deg * std::numbers::pi / 180;
  o.beam = Beam::parallel;
  return o;
}

TEST(RotationCentreOperator, IsFoundToATwentiethOfAColumnForEveryTurn) {
  CircularOrbit fan = fan_orbit(360, 200);
  CircularOrbit backwards = fan;
  backwards.arc_rad = -backwards.arc_rad;
  CircularOrbit cone = fan;
  cone.rows = 5;
  struct Case {
    const char* name;
    CircularOrbit orbit;
  };
  for (const auto& [name, orbit] :
       {Case{"parallel, half a turn", parallel(300, 180)}, Case{"parallel, half a turn backwards", parallel(301, -180)},
        Case{"parallel, a whole turn", parallel(300, 360)}, Case{"fan", fan}, Case{"fan, backwards", backwards},
        Case{"cone", cone}})
    for (const double shift : {0.0, 3.27, -7.6}) {
      const Outcome out = run_once<RotationCentre>({}, {"input"}, {shifted_scan(orbit, shift)});
      std::printf("%-32s shift %5.2f: %7.3f columns\n", name, shift, out.metric("shift_columns"));
      EXPECT_NEAR(out.metric("shift_columns"), shift, 0.05) << name;
      EXPECT_NEAR(out.metric("centre_column"), 0.5 * (orbit.columns - 1) + shift, 0.05) << name;
      if (orbit.beam == Beam::parallel) continue;
      std::printf("  disagreement %.4f\n", out.metric("disagreement"));
      EXPECT_LT(out.metric("disagreement"), 0.02) << name << ": of integrals up to 3";
    }
}

TEST(RotationCentreOperator, CentresTheProjectionsOnTheGeometrysAxis) {
  const CircularOrbit orbit = fan_orbit(360, 200);
  const Projections wrong = shifted_scan(orbit, 2.4);
  const Outcome out = run_once<RotationCentre>({}, {"input"}, {wrong});
  const std::vector<float> right = line_integrals_of(off_centre_object(), orbit, 0.02);
  const Slice truth = slice_of(right, orbit), before = slice_of(wrong),
              after = slice_of(Projections(out.outputs.at("output")));
  picture("rotation_centre_before", before, 0.0, 0.035);
  picture("rotation_centre_after", after, 0.0, 0.035);
  const double e0 = before.rmse(truth, 90), e1 = after.rmse(truth, 90);
  std::printf("RMSE against the centred scan: %.2e before, %.2e after\n", e0, e1);
  EXPECT_LT(e1, 0.2 * e0);
  const Outcome copy = run_once<RotationCentre>({.apply = false}, {"input"}, {wrong});
  EXPECT_TRUE(std::equal(copy.values().begin(), copy.values().end(), wrong.views().span<float>().begin()));
}

/// The floats of a NRRD with raw encoding, after its empty line.
std::vector<float> nrrd(const std::string& name) {
  std::ifstream file(std::string(ISOCENTER_SOURCE_DIR) + "/phantoms/ct_tooth_tomopy/" + name, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t begin = all.find("\n\n") + 2;
  std::vector<float> values((all.size() - begin) / sizeof(float));
  std::memcpy(values.data(), all.data() + begin, values.size() * sizeof(float));
  return values;
}

TEST(RotationCentreOperator, OfASynchrotronScanOfATooth) {
  const CircularOrbit orbit{.views = 181,
                            .columns = 640,
                            .rows = 1,
                            .column_step_mm = 1,
                            .row_step_mm = 1,
                            .arc_rad = std::numbers::pi,
                            .beam = Beam::parallel};
  const Outcome integrals = run_once<LineIntegrals>(
      {}, {"input", "dark", "flat"},
      {projections_from(nrrd("counts.nrrd"), 181, 1, 640, orbit.build(), Beam::parallel),
       projections_from(nrrd("dark.nrrd"), 10, 1, 640), projections_from(nrrd("flat.nrrd"), 10, 1, 640)});
  EXPECT_EQ(integrals.metric("clamped"), 0.0);
  EXPECT_LT(integrals.metric("defects"), 7.0);
  const Outcome out = run_once<RotationCentre>({}, {"input"}, {integrals.outputs.at("output")});
  std::printf("tooth: column %.2f, %g defective pixels\n", out.metric("centre_column"), integrals.metric("defects"));
  // By another method altogether: of filtered back projections about 294.5, 294.75, ... 297.5 (NumPy, linear
  // interpolation), the one about 295.75 has the least negative values and the least entropy.
  EXPECT_NEAR(out.metric("centre_column"), 295.75, 0.25);
}

TEST(RotationCentreMessages, SayWhatIsWrong) {
  const auto message = [](const Projections& p) {
    return error_of([&] { run_once<RotationCentre>({}, {"input"}, {p}); });
  };
  EXPECT_THAT(message(shifted_scan(parallel(60, 90), 0)), HasSubstr("the views cover 90 deg with a parallel beam"));
  CircularOrbit short_scan = fan_orbit(90);
  short_scan.arc_rad = 3.5;
  EXPECT_THAT(message(shifted_scan(short_scan, 0)), HasSubstr("with a cone or fan beam, and 360 deg are needed"));
  EXPECT_THAT(message(shifted_scan(parallel(61, 360), 0)), HasSubstr("a whole turn of 61 parallel views"));
  EXPECT_THAT(message(projections_from(std::vector<float>(20 * 20), 20, 1, 20)),
              HasSubstr("there are 20 projections and 0 views in acquisition.views"));
  Projections block = projections_from(std::vector<float>(20 * 20), 20, 1, 20, parallel(60, 180).build());
  set_view_blocks(block, 3);
  EXPECT_THAT(message(block), HasSubstr("the scan comes in 3 blocks, and this node needs all views at once"));
  Projections bad = shifted_scan(fan_orbit(40), 0);
  bad.views().span<float>()[163] = std::nanf("");
  EXPECT_THAT(message(bad), HasSubstr("the line integral at view 1, row 0, column 3 is not a finite number"));
  CircularOrbit uneven = fan_orbit(40);
  auto views = uneven.build();
  std::swap(views[5], views[6]);
  EXPECT_THAT(message(projections_from(std::vector<float>(40 * 160), 40, 1, 160, views)),
              HasSubstr("view 5 is turned by 18 deg against the one before"));
}

}  // namespace
}  // namespace isocenter::testing
