// Exact projections of every orbit and detector: a ball's shadow lies where the scanner's trigonometry puts it, and
// each element holds the chord 2 sqrt(r² - d²) of its ray.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/orbits.hpp>
#include <isocenter/recon/projection_matrix.hpp>

#include "device_test.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace detail;
using ::testing::HasSubstr;

constexpr double degree = std::numbers::pi / 180.0;

/// A scan by its textbook formulas, written without View: from and to, mm, of the ray of view n to element (i, j).
struct Textbook {
  const char* name;
  std::vector<View> views;
  Beam beam;
  DetectorShape detector;
  int columns, rows;
  std::function<void(int n, double i, double j, Vector3* from, Vector3* to)> ray;
};

/// The patient frame's x, y, z of a point of the gantry: across along the motion, towards the source, along z.
Vector3 at_gantry(double angle, double across, double towards, double z) {
  return {across * std::cos(angle) + towards * std::sin(angle), across * std::sin(angle) - towards * std::cos(angle),
          z};
}

std::vector<Textbook> textbook_scans() {
  std::vector<Textbook> scans;
  const CircularOrbit base{.views = 5,
                           .columns = 43,
                           .rows = 35,
                           .source_to_isocenter_mm = 600,
                           .source_to_detector_mm = 1100,
                           .column_step_mm = 7,
                           .row_step_mm = 6};
  const double wide = 21, tall = 17;  // the middle column and row
  scans.push_back({"circle, flat, displaced", displaced_detector(base, 60).build(), Beam::cone, DetectorShape::flat, 43,
                   35, [=](int n, double i, double j, Vector3* from, Vector3* to) {
                     const double angle = n * 72 * degree, shift = 0.5 * 43 * 7 - 60;
                     *from = at_gantry(angle, 0, 600, 0);
                     *to = at_gantry(angle, (i - wide) * 7 + shift, -500, (j - tall) * 6);
                   }});
  CircularOrbit curved = base;
  curved.detector = DetectorShape::curved;
  curved.detector_offset_u_mm = 40;
  curved.detector_offset_v_mm = -20;
  scans.push_back({"circle, curved, offset", curved.build(), Beam::cone, DetectorShape::curved, 43, 35,
                   [=](int n, double i, double j, Vector3* from, Vector3* to) {
                     const double fan = ((i - wide) * 7 + 40) / 1100;  // equal angles around the focal spot
                     *from = at_gantry(n * 72 * degree, 0, 600, 0);
                     *to = at_gantry(n * 72 * degree, 1100 * std::sin(fan), 600 - 1100 * std::cos(fan),
                                     (j - tall) * 6 - 20);
                   }});
  CircularOrbit fan = curved;
  fan.rows = 1;
  fan.detector_offset_v_mm = 0;
  scans.push_back({"fan, curved, short scan", short_scan(fan).build(), Beam::cone, DetectorShape::curved, 43, 1,
                   [=](int n, double i, double, Vector3* from, Vector3* to) {
                     const double fan_angle = ((i - wide) * 7 + 40) / 1100;
                     const double angle = n * (std::numbers::pi + 2 * (0.5 * 43 * 7 + 40) / 1100) / 4;
                     *from = at_gantry(angle, 0, 600, 0);
                     *to = at_gantry(angle, 1100 * std::sin(fan_angle), 600 - 1100 * std::cos(fan_angle), 0);
                   }});
  CircularOrbit parallel = base;
  parallel.beam = Beam::parallel;
  parallel.arc_rad = std::numbers::pi;
  parallel.column_step_mm = 4;
  parallel.row_step_mm = 5;
  scans.push_back({"parallel", parallel.build(), Beam::parallel, DetectorShape::flat, 43, 35,
                   [=](int n, double i, double j, Vector3* from, Vector3* to) {
                     *from = at_gantry(n * 36 * degree, (i - wide) * 4, 5000, (j - tall) * 5);
                     *to = at_gantry(n * 36 * degree, (i - wide) * 4, -5000, (j - tall) * 5);
                   }});
  for (const DetectorShape shape : {DetectorShape::flat, DetectorShape::curved}) {
    HelicalOrbit helix{base, 0.75, 10};
    helix.turn.arc_rad = 3 * 2 * std::numbers::pi;
    helix.turn.detector = shape;
    scans.push_back({shape == DetectorShape::flat ? "helix, flat" : "helix, curved", helix.build(), Beam::cone, shape,
                     43, 35, [=](int n, double i, double j, Vector3* from, Vector3* to) {
                       const double angle = n * 3 * 360.0 / 5 * degree;
                       const double feed = 0.75 * 35 * 6 * 600 / 1100;  // pitch times the rows as seen at the isocentre
                       const double z = 10 + feed * (angle / (2 * std::numbers::pi) - 3 * 0.4), u = (i - wide) * 7;
                       const bool flat = shape == DetectorShape::flat;
                       *from = at_gantry(angle, 0, 600, z);
                       *to = at_gantry(angle, flat ? u : 1100 * std::sin(u / 1100),
                                       flat ? -500 : 600 - 1100 * std::cos(u / 1100), z + (j - tall) * 6);
                     }});
  }
  const RestingDetector resting{
      .columns = 43, .rows = 35, .column_step_mm = 7, .row_step_mm = 6, .y_mm = 120, .offset_u_mm = 15};
  const auto element = [=](double i, double j) { return Vector3{15 + (i - wide) * 7, 120, (j - tall) * 6}; };
  scans.push_back({"tomosynthesis on an arc",
                   TomosynthesisArc{.views = 5, .detector = resting, .source_to_isocenter_mm = 600}.build(), Beam::cone,
                   DetectorShape::flat, 43, 35, [=](int n, double i, double j, Vector3* from, Vector3* to) {
                     const double angle = (-25 + n * 12.5) * degree;
                     *from = {600 * std::sin(angle), -600 * std::cos(angle), 0};
                     *to = element(i, j);
                   }});
  scans.push_back({"tomosynthesis on a line along z, detector the other way",
                   TomosynthesisLine{.views = 5,
                                     .detector = resting,
                                     .source_to_isocenter_mm = 600,
                                     .travel_mm = 400,
                                     .detector_travel_mm = -80,
                                     .sweep = Sweep::along_rows}
                       .build(),
                   Beam::cone, DetectorShape::flat, 43, 35, [=](int n, double i, double j, Vector3* from, Vector3* to) {
                     *from = {0, -600, -200 + n * 100.0};
                     *to = element(i, j);
                     (*to)[2] += 40 - n * 20.0;
                   }});
  return scans;
}

double chord(const Vector3& centre, double radius, const Vector3& from, const Vector3& to) {
  const Vector3 direction = unit(minus(to, from)), d = minus(centre, from);
  const double off = length(cross(d, direction));
  return off < radius ? 2 * std::sqrt(radius * radius - off * off) : 0.0;
}

TEST(Orbits, GiveTheChordOfABallInEveryElement) {
  for (const Textbook& scan : textbook_scans())
    for (const auto& [centre, radius] : {std::pair{Vector3{31, -22, 3}, 24.0}, std::pair{Vector3{-20, 11, 3}, 6.0}}) {
      SCOPED_TRACE(scan.name);
      Solids ball;
      ball.list = {make_solid(Solid::ellipsoid, centre, {radius, radius, radius}, no_turn, 1.0, label_lesion)};
      std::vector<float> image(static_cast<std::size_t>(scan.columns * scan.rows));
      std::size_t met = 0;
      for (int n = 0; n < 5; ++n) {
        project(launcher_with(2), ball, scan.views[static_cast<std::size_t>(n)], scan.beam, scan.rows, scan.columns,
                1.0, image.data(), scan.detector);
        for (int j = 0; j < scan.rows; ++j)
          for (int i = 0; i < scan.columns; ++i) {
            Vector3 from, to;
            scan.ray(n, i, j, &from, &to);
            const double truth = chord(centre, radius, from, to);
            met += truth > 0.0;
            // Near the rim the chord's slope has no bound: there a rounding of d shows as its root.
            ASSERT_NEAR(image[static_cast<std::size_t>(j * scan.columns + i)], truth, 2e-5 + 1e-10 / (truth + 1e-6))
                << "view " << n << " column " << i << " row " << j;
          }
      }
      EXPECT_GT(met, 4U) << "the test sees the ball";
    }
}

TEST(Orbits, SeeASmallBallInEveryCornerOfAWideCurvedDetector) {
  // Rays are sent in tiles of 16 x 16 elements; rows of a curved detector bend out of a tile's planes.
  const CircularOrbit orbit{.columns = 43,
                            .rows = 60,
                            .source_to_isocenter_mm = 600,
                            .source_to_detector_mm = 1100,
                            .column_step_mm = 40,
                            .row_step_mm = 10,
                            .detector = DetectorShape::curved};
  const View view = orbit.view_at(0.3);
  std::vector<float> image(43 * 60);
  for (const int j : {0, 15, 16, 31, 32, 47, 59})
    for (const int i : {0, 15, 16, 31, 32, 42}) {
      const Vector3 centre =
          plus(times(0.45, view.source_mm), times(0.55, view.element_mm(i, j, DetectorShape::curved)));
      Solids ball;
      ball.list = {make_solid(Solid::ellipsoid, centre, {1, 1, 1}, no_turn, 1.0, label_lesion)};
      project(launcher_with(1), ball, view, Beam::cone, 60, 43, 1.0, image.data(), DetectorShape::curved);
      EXPECT_NEAR(image[static_cast<std::size_t>(j * 43 + i)], 2.0, 1e-5) << "column " << i << " row " << j;
    }
}

TEST(Orbits, PutAPointWhereItsRayMeetsTheDetector) {
  for (const Textbook& scan : textbook_scans())
    for (int n = 0; n < 5; ++n)
      for (const auto& [i, j] : {std::pair{3.25, 30.0}, std::pair{40.5, 2.0}, std::pair{21.0, 17.0}}) {
        SCOPED_TRACE(scan.name);
        Vector3 from, to;
        scan.ray(n, i, j, &from, &to);
        const View& view = scan.views[static_cast<std::size_t>(n)];
        const double row = scan.rows == 1 ? 0.0 : j;
        const DetectorPoint p = detector_point(view, scan.beam, scan.detector, plus(times(0.4, from), times(0.6, to)));
        EXPECT_NEAR(p.column, i, 1e-9);
        EXPECT_NEAR(p.row, row, 1e-9);
        if (scan.beam == Beam::cone) {
          EXPECT_NEAR(p.depth, 0.6, 1e-12);
          const Vector3 element = view.element_mm(i, row, scan.detector);
          EXPECT_NEAR(length(minus(element, to)), 0.0, 1e-9);
        }
      }
}

TEST(Orbits, CoverWhatTheirNamesPromise) {
  const CircularOrbit orbit{.views = 37, .columns = 300, .column_step_mm = 2, .detector_offset_u_mm = 50};
  const CircularOrbit half = short_scan(orbit);
  EXPECT_NEAR(half.angle_rad(36) - half.angle_rad(0), std::numbers::pi + 2 * std::atan(350.0 / 1500), 1e-12)
      << "180 degrees and the fan of the farther edge";
  CircularOrbit backwards = orbit;
  backwards.arc_rad = -1;
  EXPECT_LT(short_scan(backwards).angle_rad(36), -std::numbers::pi);
  const CircularOrbit displaced = displaced_detector(orbit, 20);
  const View v = displaced.view_at(0);
  EXPECT_NEAR(v.element_mm(-0.5, 0)[0], -20, 1e-9) << "the detector's edge";
  EXPECT_NEAR(v.element_mm(299.5, 0)[0], 580, 1e-9);
}

TEST(Misalignment, TurnsAndShiftsEachViewByLessThanItsBound) {
  const CircularOrbit orbit{.views = 40, .columns = 30, .rows = 20};
  const std::vector<View> straight = orbit.build();
  const std::vector<View> off = misaligned(straight, Beam::cone, 30, 20, {.shift_mm = 2, .turn_rad = 0.01});
  double largest = 0.0;
  for (std::size_t n = 0; n < off.size(); ++n) {
    EXPECT_NEAR(length(minus(off[n].source_mm, off[n].element_mm(7, 3))),
                length(minus(straight[n].source_mm, straight[n].element_mm(7, 3))), 1e-9)
        << "source and detector move together";
    EXPECT_NEAR(dot(off[n].u_step_mm, off[n].v_step_mm), 0.0, 1e-12);
    largest = std::max(largest, length(minus(off[n].source_mm, straight[n].source_mm)));
  }
  EXPECT_GT(largest, 2.0);
  EXPECT_LT(largest, std::sqrt(3.0) * (2.0 + 0.01 * 1000));
  const std::vector<View> tilted = misaligned(straight, Beam::cone, 30, 20, {.detector_shift_mm = 1});
  EXPECT_EQ(tilted[5].source_mm, straight[5].source_mm) << "the detector alone";
  EXPECT_NE(tilted[5].detector_origin_mm, straight[5].detector_origin_mm);
}

/// The description that the operator gives.
Payload planned(const PhantomProjections::Params& params) {
  Pipeline pipeline(context());
  pipeline.add<PhantomProjections>("scan", params);
  pipeline.add_output("out", "scan", "output");
  Session session = pipeline.prepare();
  session.start();
  Payload item = *session.pull("out");
  session.wait();
  return item;
}

PhantomProjections::Params small(PhantomOrbit orbit) {
  return {.phantom = PhantomKind::shepp_logan,
          .radius_mm = 50,
          .orbit = orbit,
          .views = 6,
          .columns = 20,
          .rows = 10,
          .column_step_mm = 10,
          .row_step_mm = 10,
          .arc_deg = 60};
}

void expect_same(std::span<const View> a, std::span<const View> b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t n = 0; n < a.size(); ++n) {
    EXPECT_NEAR(length(minus(a[n].source_mm, b[n].source_mm)), 0.0, 1e-9) << n;
    for (const auto& [i, j] : {std::pair{0, 0}, std::pair{19, 0}, std::pair{0, 9}})
      EXPECT_NEAR(length(minus(a[n].element_mm(i, j), b[n].element_mm(i, j))), 0.0, 1e-9) << n;
  }
}

TEST(PhantomProjectionsOperator, BuildsTheOrbitThatItsParametersName) {
  const CircularOrbit orbit{.views = 6, .columns = 20, .rows = 10, .column_step_mm = 10, .row_step_mm = 10};
  const RestingDetector resting{.columns = 20, .rows = 10, .column_step_mm = 10, .row_step_mm = 10, .y_mm = 500};
  expect_same(views_of(planned(small(PhantomOrbit::short_scan))), short_scan(orbit).build());
  HelicalOrbit helix{orbit, 0.5};
  helix.turn.arc_rad = 60 * degree;
  PhantomProjections::Params params = small(PhantomOrbit::helix);
  params.pitch = 0.5;
  expect_same(views_of(planned(params)), helix.build());
  expect_same(views_of(planned(small(PhantomOrbit::tomosynthesis_arc))),
              TomosynthesisArc{.views = 6, .detector = resting, .arc_rad = 60 * degree}.build());
  params = small(PhantomOrbit::tomosynthesis_line);
  params.travel_mm = 300;
  expect_same(views_of(planned(params)), TomosynthesisLine{.views = 6, .detector = resting, .travel_mm = 300}.build());
  params = small(PhantomOrbit::circle);
  params.detector = PhantomDetector::curved;
  EXPECT_EQ(detector_of(planned(params)), DetectorShape::curved);
  EXPECT_EQ(detector_of(planned(small(PhantomOrbit::circle))), DetectorShape::flat);
}

TEST(PhantomProjectionsOperator, TakesItsViewsFromAGeometryFile) {
  const std::string path = ::testing::TempDir() + "orbits_test_matrices.txt";
  const CircularOrbit orbit{.views = 4, .columns = 20, .rows = 10, .column_step_mm = 10, .row_step_mm = 10};
  const std::vector<View> views =
      misaligned(orbit.build(), Beam::cone, 20, 10, {.shift_mm = 3, .turn_rad = 0.02, .detector_turn_rad = 0.05});
  std::ofstream file(path);
  file.precision(17);
  for (const View& v : views) {
    for (const double x : projection_matrix_of(v, Beam::cone)) file << -3 * x << ' ';  // any factor, any sign
    file << '\n';
  }
  file.close();
  PhantomProjections::Params params = small(PhantomOrbit::circle);
  params.geometry_file = path;
  const Payload scan = planned(params);
  EXPECT_EQ(scan.tensor("views").extent('n'), 4) << "as many as the file has";
  expect_same(views_of(scan), views);
}

TEST(PhantomProjectionsOperator, RefusesOrbitsThatCannotBe) {
  PhantomProjections::Params params = small(PhantomOrbit::tomosynthesis_arc);
  params.arc_deg = 360;
  EXPECT_THAT(error_of([&] { planned(params); }), HasSubstr("arc_deg = 360 takes the source of orbit = "
                                                            "tomosynthesis_arc behind its resting detector"));
  params.arc_deg = 40;
  params.detector = PhantomDetector::curved;
  EXPECT_THAT(error_of([&] { planned(params); }), HasSubstr("a curved detector lies around a focal spot"));
  params = small(PhantomOrbit::tomosynthesis_line);
  params.beam = PhantomBeam::parallel;
  EXPECT_THAT(error_of([&] { planned(params); }), HasSubstr("has no source to move"));
  params = small(PhantomOrbit::circle);
  params.geometry_file = "nowhere/at_all.xml";
  EXPECT_THAT(error_of([&] { planned(params); }), HasSubstr("'nowhere/at_all.xml' cannot be opened"));
}

}  // namespace
}  // namespace isocenter::testing
