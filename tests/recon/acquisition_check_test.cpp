// Every sentence of the acquisition's check, and what it lets pass.
#include "recon/acquisition_check.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <isocenter/recon/orbits.hpp>
#include <numbers>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using namespace detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double degree = std::numbers::pi / 180.0;

struct Wrong {
  const char* what;
  std::function<void(std::vector<View>&)> make;
  const char* says;
};

/// The sentence about a circle of 24 views to which something was done.
std::string complaint(const Wrong& wrong, const AcquisitionNeeds& needs = {.method = "FDK"},
                      DetectorShape shape = DetectorShape::flat, Beam beam = Beam::cone) {
  std::vector<View> views =
      CircularOrbit{.views = 24, .columns = 40, .rows = 30, .beam = beam, .detector = shape}.build();
  wrong.make(views);
  return error_of([&] { check_acquisition({views, beam, shape, 30, 40}, needs); });
}

TEST(AcquisitionCheck, NamesTheViewThatIsWrong) {
  for (const Wrong& wrong : {
           Wrong{"not a number", [](auto& v) { v[3].v_step_mm[1] = std::nan(""); },
                 "view 3 has v_step_mm[1] = nan in acquisition.views"},
           Wrong{"no step", [](auto& v) { v[7].u_step_mm = {}; }, "view 7 has detector steps of 0 mm between columns"},
           Wrong{"steps in nm", [](auto& v) { v[2].u_step_mm = times(1e-7, v[2].u_step_mm); }, "view 2 has detector"},
           Wrong{"one direction", [](auto& v) { v[4].v_step_mm = v[4].u_step_mm; },
                 "view 4 has detector columns that step along the rows"},
           Wrong{"source in the plane",
                 [](auto& v) { v[5].source_mm = plus(v[5].detector_origin_mm, times(300, v[5].u_step_mm)); },
                 "view 5 has its source in the detector's plane"},
           Wrong{"mirrored", [](auto& v) { v[6].v_step_mm = times(-1, v[6].v_step_mm); },
                 "view 6 has a detector that is mirrored against view 0"},
           Wrong{"behind the source",
                 [](auto& v) {
                   const Vector3 way = minus(v[9].source_mm, v[9].detector_origin_mm);
                   v[9].detector_origin_mm = plus(v[9].source_mm, way);
                 },
                 "view 9 has a detector that is mirrored against view 0"},
           Wrong{"in metres",
                 [](auto& v) {
                   for (View& view : v)
                     for (Vector3* p : {&view.source_mm, &view.detector_origin_mm, &view.u_step_mm, &view.v_step_mm})
                       *p = times(1e-3 / 2, *p);
                 },
                 "view 0 has its source 0.75 mm from its detector, and scanners have 1 mm to 100000 mm. Fix: give "
                 "lengths in mm, not in m or um"},
           Wrong{"in micrometres",
                 [](auto& v) {
                   for (Vector3* p : {&v[8].source_mm, &v[8].detector_origin_mm}) *p = times(1000, *p);
                 },
                 "view 8 has its source 1.50079e+06 mm from its detector"},
           Wrong{"one view", [](auto& v) { v.resize(1); }, "there is 1 view in acquisition.views, and FDK needs at"},
           Wrong{"no view", [](auto& v) { v.clear(); }, "there are 0 views in acquisition.views"},
       }) {
    SCOPED_TRACE(wrong.what);
    EXPECT_THAT(complaint(wrong), HasSubstr(wrong.says));
  }
}

TEST(AcquisitionCheck, KnowsWhatAMethodNeeds) {
  const Wrong tilt{"", [](auto&v) { v[3].u_step_mm[2] += 0.1; }, ""}, none{"", [](auto&) {}, ""};
  EXPECT_THAT(complaint(tilt, {.orthogonal_steps = true}),
              HasSubstr("view 3 has a detector whose columns and rows are not at"));
  EXPECT_THAT(complaint(none, {.method = "FBP", .parallel_beam = true}),
              HasSubstr("acquisition.beam is cone, and FBP takes a parallel beam"));
  EXPECT_THAT(complaint(none, {.method = "FDK", .cone_beam = true}, DetectorShape::flat, Beam::parallel),
              HasSubstr("acquisition.beam is parallel, and FDK takes a cone beam"));
  EXPECT_THAT(complaint(none, {.method = "FDK", .flat_detector = true}, DetectorShape::curved),
              HasSubstr("acquisition.detector is curved, and FDK takes a flat detector"));
  EXPECT_THAT(complaint(none, {}, DetectorShape::curved, Beam::parallel), HasSubstr("lies around a focal spot"));
  const Wrong gap{"", [](auto& v) { v.erase(v.begin() + 10, v.begin() + 14); }, ""};
  EXPECT_THAT(complaint(gap, {.method = "SART", .largest_gap_rad = 30 * degree, .full_turn = true}),
              AllOf(HasSubstr("no view over 75 deg next to view "), HasSubstr("SART is allowed 30 deg")));
  const Wrong two_gaps{"", [](auto& v) { v.erase(v.begin() + 16, v.end()), v.erase(v.begin() + 4, v.begin() + 8); },
                       ""};
  EXPECT_THAT(complaint(two_gaps, {.largest_gap_rad = 30 * degree}), HasSubstr("no view over 75 deg"))
      << "the gap of 135 deg is what the arc leaves out";
}

TEST(AcquisitionCheck, KnowsACurvedDetectorFromABentOne) {
  const Wrong not_tangent{"", [](auto& v) { v[2].u_step_mm = turned(v[2].u_step_mm, {0, 0, 0.01}); }, ""};
  EXPECT_THAT(complaint(not_tangent, {}, DetectorShape::curved),
              HasSubstr("view 2 has a curved detector whose columns do not step along a cylinder"));
  const Wrong too_wide{"", [](auto& v) { v[1].u_step_mm = times(100, v[1].u_step_mm); }, ""};
  EXPECT_THAT(complaint(too_wide, {}, DetectorShape::curved), HasSubstr("view 1 has a curved detector of"));
  const Wrong inside{"", [](auto& v) { v[1].detector_origin_mm = v[1].source_mm; }, ""};
  EXPECT_THAT(complaint(inside, {}, DetectorShape::curved), HasSubstr("view 1 has its focal spot on the curved"));
}

TEST(AcquisitionCheck, TakesEveryOrbit) {
  const CircularOrbit orbit{.views = 24, .columns = 40, .rows = 30};
  const RestingDetector resting{.columns = 40, .rows = 30};
  const auto take = [&](const std::vector<View>& views, Beam beam = Beam::cone,
                        DetectorShape shape = DetectorShape::flat) {
    EXPECT_NO_THROW(check_acquisition({views, beam, shape, 30, 40}, {.largest_gap_rad = 0.4}));
  };
  take(orbit.build());
  take(short_scan(orbit).build());
  take(displaced_detector(orbit, 10).build());
  take(HelicalOrbit{orbit}.build());
  take(TomosynthesisArc{.detector = resting}.build());
  take(TomosynthesisLine{.detector = resting, .detector_travel_mm = -300}.build());
  take(misaligned(orbit.build(), Beam::cone, 40, 30, {.shift_mm = 5, .turn_rad = 0.05, .detector_turn_rad = 0.05}));
  CircularOrbit other = orbit;
  other.beam = Beam::parallel;
  take(other.build(), Beam::parallel);
  other = orbit;
  other.detector = DetectorShape::curved;
  take(other.build(), Beam::cone, DetectorShape::curved);
  std::vector<View> mirrored = orbit.build();
  for (View& v : mirrored) v.v_step_mm = times(-1, v.v_step_mm);
  take(mirrored);
}

TEST(AcquisitionCheck, PlacesTheVolumeAmongTheViews) {
  const std::vector<View> views = CircularOrbit{.views = 24, .columns = 100, .rows = 60}.build();
  const Acquisition scan{views, Beam::cone, DetectorShape::flat, 60, 100};
  const auto cube = [](std::int64_t n, double spacing, const Vector3& shift) {
    VolumeGrid grid{n, n, n, Geometry::centred(n, n, n, {spacing, spacing, spacing})};
    for (std::size_t k = 0; k < 3; ++k) grid.geometry.origin_mm[k] += shift[k];
    return grid;
  };
  EXPECT_TRUE(check_volume(scan, cube(64, 1, {})).empty());
  // The rows see 80 mm at the isocentre; a cube of 9 layers over 160 mm has 4 layers beyond +-40 mm (and a rim).
  const auto warnings = check_volume(scan, cube(161, 1, {}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0].what, HasSubstr("no view sees 44.5 % of the volume"));
  EXPECT_THAT(
      error_of([&] {
        check_volume(scan, cube(64, 1, {0, 0, 500}));
      }),
      AllOf(HasSubstr("no view sees any of the volume (64 x 64 x 64 voxels"), HasSubstr("view 0 is at (0, -1000, 0)")));
  EXPECT_THAT(error_of([&] {
                check_volume(scan, cube(64, 1, {20, -980, 0}));
              }),
              HasSubstr("the source of view 0 lies inside the volume, at voxel (11.5, 11.5, 31.5)"));
  EXPECT_THAT(error_of([&] {
                check_volume(scan, cube(10, 1, {0, -1100, 0}));
              }),
              HasSubstr("in view 0 the source lies between the detector and the volume's centre"));
}

TEST(AcquisitionCheck, KnowsADetectorWithinTheVolumeFromOneAtItsRim) {
  const auto cube = [](std::int64_t n, double spacing, double y) {
    VolumeGrid grid{n, n, n, Geometry::centred(n, n, n, {spacing, spacing, spacing})};
    grid.geometry.origin_mm[1] += y;
    return grid;
  };
  for (const DetectorShape shape : {DetectorShape::flat, DetectorShape::curved}) {
    const auto views_at = [&](double source_to_detector_mm) {
      return CircularOrbit{
          .views = 24, .columns = 100, .rows = 60, .source_to_detector_mm = source_to_detector_mm, .detector = shape}
          .build();
    };
    std::vector<View> views = views_at(700);
    EXPECT_THAT(error_of([&] {
                  check_volume({views, Beam::cone, shape, 60, 100}, cube(64, 1, 0));
                }),
                HasSubstr("in view 0 the detector, 700 mm from the source, stands before the volume's centre, which is "
                          "1000 mm from it"));
    views = views_at(1000);  // a virtual one
    const auto warnings = check_volume({views, Beam::cone, shape, 60, 100}, cube(64, 1, 0));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0].what, HasSubstr("stands 31.5 mm within the volume"));
    views = views_at(1040);  // the corners are further out than 40 mm, the faces not
    EXPECT_TRUE(check_volume({views, Beam::cone, shape, 60, 100}, cube(64, 1, 0)).empty());
  }
  // Tomosynthesis: the lowest slice lies on the detector, or its middle half a slice below.
  const std::vector<View> views = TomosynthesisArc{.detector = {.y_mm = 31.5}, .source_to_isocenter_mm = 600}.build();
  const Acquisition scan{views, Beam::cone, DetectorShape::flat, 256, 256};
  EXPECT_TRUE(check_volume(scan, cube(64, 1, 0)).empty());
  EXPECT_TRUE(check_volume(scan, cube(64, 1, 0.5)).empty());
  EXPECT_THAT(check_volume(scan, cube(64, 1, 3)).at(0).what, HasSubstr("stands 3 mm within the volume"));
}

TEST(AcquisitionCheck, ReadsWhatAPayloadSays) {
  Projections p = Projections::describe(3, 4, 5);
  const auto says = [&] { return error_of([&] { read_acquisition(p); }); };
  EXPECT_THAT(says(), HasSubstr("no attribute acquisition.views"));
  const std::vector<double> odd(29);
  p.set_numbers("acquisition.views", odd);
  EXPECT_THAT(says(), HasSubstr("acquisition.views has 29 numbers, which is no multiple of 14"));
  set_views(p, CircularOrbit{.views = 2}.build());
  EXPECT_THAT(says(), HasSubstr("there are 3 projections and 2 views"));
  set_views(p, CircularOrbit{.views = 3}.build(), Beam::parallel, DetectorShape::flat);
  const Acquisition scan = read_acquisition(p);
  EXPECT_EQ(scan.rows, 4);
  EXPECT_EQ(scan.columns, 5);
  EXPECT_EQ(scan.beam, Beam::parallel);
  p.set_text("acquisition.detector", "bent");
  EXPECT_THAT(says(), HasSubstr("acquisition.detector is \"bent\", and flat and curved are known"));
  p.set_text("acquisition.beam", "fan");
  EXPECT_THAT(says(), HasSubstr("acquisition.beam is \"fan\""));
}

}  // namespace
}  // namespace isocenter::testing
