// Filtered back projection against the exact phantom for each geometry, its variants against the reference, and every
// message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <numbers>

#include "device_test.hpp"
#include "phantom/poisson.hpp"
#include "plain_fft.hpp"
#include "recon/fbp_engine.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double pi = std::numbers::pi;

struct PlaneScan {
  std::vector<View> views;
  Beam beam = Beam::parallel;
  DetectorShape detector = DetectorShape::flat;
  int rows = 1, columns = 0;
  std::vector<float> projections;
};

PlaneScan plane_scan(const Solids& solids, std::vector<View> views, const CircularOrbit& o) {
  PlaneScan scan{std::move(views), o.beam, o.detector, o.rows, o.columns, {}};
  const auto elements = static_cast<std::size_t>(o.rows) * static_cast<std::size_t>(o.columns);
  scan.projections.resize(scan.views.size() * elements);
  for (std::size_t n = 0; n < scan.views.size(); ++n)
    project(launcher_with(2), solids, scan.views[n], o.beam, o.rows, o.columns, 1.0,
            scan.projections.data() + n * elements, o.detector);
  return scan;
}
PlaneScan plane_scan(const Solids& solids, const CircularOrbit& o) { return plane_scan(solids, o.build(), o); }

FbpRequest request_for(const PlaneScan& scan) {
  FbpRequest r;
  r.scan = {scan.views, scan.beam, scan.detector, scan.rows, scan.columns};
  return r;
}

struct Slices {
  FbpPlan plan;
  std::vector<float> values;
};

Slices reconstruct(const PlaneScan& scan, const FbpRequest& request,
                   const FbpVariant* variant = fbp_variant_of_this_processor(), int threads = 2) {
  FbpEngine engine(plan_fbp(request), nullptr, 0, threads, variant);
  engine.use(engine.host_tables());
  const Scratch scratch(engine.scratch_bytes());
  const VolumeGrid& g = engine.plan().grid;
  Slices image{engine.plan(), std::vector<float>(static_cast<std::size_t>(g.nx * g.ny * g.nz), -7e30F)};
  engine.run(launcher_with(threads), scan.projections.data(), image.values.data(), 0.0F, scratch.get(), nullptr,
             nullptr);
  return image;
}

/// Root mean square of the difference from the phantom within a radius of a point, and PSNR against a range of 2.
struct PlaneError {
  double rmse = 0, psnr_db = 0, mean = 0;
};
PlaneError error_of(const Slices& image, const Solids& solids, double radius_mm, Vector3 centre = {0, 0, 0}) {
  const VolumeGrid& g = image.plan.grid;
  std::vector<float> truth(image.values.size());
  rasterise(launcher_with(2), solids, {g.nx, g.ny, g.nz, g.geometry}, 1, 1.0, 0.0, truth.data(), nullptr);
  double squares = 0.0, sum = 0.0;
  int count = 0;
  for (std::int64_t z = 0; z < g.nz; ++z)
    for (std::int64_t y = 0; y < g.ny; ++y)
      for (std::int64_t x = 0; x < g.nx; ++x) {
        const Vector3 p =
            g.geometry.position_mm(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z));
        if (std::hypot(p[0] - centre[0], p[1] - centre[1]) > radius_mm) continue;
        const auto at = static_cast<std::size_t>((z * g.ny + y) * g.nx + x);
        const double d = static_cast<double>(image.values[at]) - truth[at];
        squares += d * d;
        sum += d;
        ++count;
      }
  const double rmse = std::sqrt(squares / count);
  return {rmse, 20.0 * std::log10(2.0 / rmse), sum / count};
}

Solids head_of(double radius_mm) {
  Solids head;
  shepp_logan(Contrast::original, radius_mm, &head);
  return head;
}

CircularOrbit parallel(int n, int views, double arc = pi) {
  CircularOrbit o{.views = views, .columns = n, .rows = 1};
  o.column_step_mm = o.row_step_mm = 256.0 / n;
  o.beam = Beam::parallel;
  o.arc_rad = arc;
  return o;
}
CircularOrbit fan(int n, int views, DetectorShape shape) {
  CircularOrbit o{.views = views, .columns = n, .rows = 1, .source_to_isocenter_mm = 500, .source_to_detector_mm = 800};
  o.column_step_mm = o.row_step_mm = 1.6 * 256.0 / n;
  o.detector = shape;
  return o;
}

struct Case {
  const char* name;
  CircularOrbit orbit;
  double rmse;  ///< a little above what is reached; nearly all of it at the skull's edges
};
std::vector<Case> geometries(int n, int views) {
  CircularOrbit offset = fan(n, views, DetectorShape::flat), displaced = fan(n * 3 / 4, views, DetectorShape::curved);
  offset.detector_offset_u_mm = 0.25 * offset.column_step_mm;
  displaced.column_step_mm = 1.6 * 256.0 / n;
  return {{"parallel, half circle", parallel(n, views / 2), 0.0970},
          {"parallel, full circle", parallel(n, views, 2 * pi), 0.0970},
          {"parallel, 270 degrees", parallel(n, views * 3 / 4, 1.5 * pi), 0.0970},
          {"flat fan, full circle", fan(n, views, DetectorShape::flat), 0.0985},
          {"flat fan, quarter offset", offset, 0.0918},
          {"flat fan, short scan", short_scan(fan(n, views * 2 / 3, DetectorShape::flat)), 0.0986},
          {"curved fan, full circle", fan(n, views, DetectorShape::curved), 0.0972},
          {"curved fan, short scan", short_scan(fan(n, views * 2 / 3, DetectorShape::curved)), 0.0973},
          {"curved fan, displaced", displaced_detector(displaced, 60), 0.0989}};
}

TEST(Fbp, OfSheppLoganStaysWithinItsBoundsInEveryGeometry) {
  const Solids head = head_of(100);
  for (const Case& c : geometries(256, 512)) {
    const PlaneScan scan = plane_scan(head, c.orbit);
    FbpRequest r = request_for(scan);
    r.nx = r.ny = 256;
    r.spacing_mm[0] = r.spacing_mm[1] = 1;
    const Slices image = reconstruct(scan, r);
    const PlaneError e = error_of(image, head, 98);
    EXPECT_LT(e.rmse, c.rmse) << c.name;
    EXPECT_GT(e.psnr_db, 26.0) << c.name;
    EXPECT_NEAR(e.mean, 0.0, 1e-3) << c.name;
    EXPECT_NEAR(image.values[128 * 256 + 128], 1.02, 5e-3) << c.name;
  }
}

double relative(const std::vector<float>& a, const std::vector<float>& b) { return relative_difference(a, b); }

TEST(Fbp, EveryVariantGivesTheReferencesPixelsAtOddSizes) {
  for (const FbpVariant* variant : {fbp_variant_avx2(), fbp_variant_avx512()}) {
    if (variant == nullptr) continue;
    for (const int rows : {1, 2, 3, 19})
      for (const int nx : {1, 7, 33, 70})
        for (const int beam : {0, 1, 2}) {
          CircularOrbit o =
              beam == 0 ? parallel(61, 45) : fan(61, 45, beam == 1 ? DetectorShape::flat : DetectorShape::curved);
          o.rows = rows;
          PlaneScan scan{o.build(), o.beam, o.detector, rows, 61, {}};
          scan.projections.resize(static_cast<std::size_t>(45 * 61 * rows));
          Philox random(3, 0);
          for (float& p : scan.projections) p = static_cast<float>(random.uniform(-1, 1));
          FbpRequest r = request_for(scan);
          r.stacked_fans = true;
          r.nx = nx;
          r.ny = 21;
          // Pixels of half a column and of five: permutes, and gathers.
          for (const double spacing : {2.0, 11.0}) {
            r.spacing_mm[0] = r.spacing_mm[1] = spacing;
            EXPECT_LT(relative(reconstruct(scan, r, variant).values, reconstruct(scan, r, nullptr).values), 2e-5)
                << variant->name << ' ' << rows << " rows, " << nx << " pixels of " << spacing << " mm, beam " << beam;
          }
        }
  }
}

TEST(Fbp, DoesNotDependOnTheNumberOfThreads) {
  CircularOrbit o = fan(61, 90, DetectorShape::curved);
  for (const int rows : {1, 5}) {
    o.rows = rows;
    PlaneScan scan{o.build(), o.beam, o.detector, rows, 61, {}};
    scan.projections.resize(static_cast<std::size_t>(90 * 61 * rows));
    Philox random(5, 0);
    for (float& p : scan.projections) p = static_cast<float>(random.uniform(0, 3));
    FbpRequest r = request_for(scan);
    r.stacked_fans = true;
    for (const FbpVariant* variant : {static_cast<const FbpVariant*>(nullptr), fbp_variant_of_this_processor()})
      EXPECT_EQ(reconstruct(scan, r, variant, 1).values, reconstruct(scan, r, variant, 3).values);
  }
}

TEST(Fbp, AShortScanShowsWhatTheFullScanShows) {
  const Solids head = head_of(100);
  for (const DetectorShape shape : {DetectorShape::flat, DetectorShape::curved}) {
    const PlaneScan full = plane_scan(head, fan(160, 360, shape));
    const PlaneScan part = plane_scan(head, short_scan(fan(160, 240, shape)));
    const double a = error_of(reconstruct(full, request_for(full)), head, 98).rmse;
    const Slices image = reconstruct(part, request_for(part));
    EXPECT_THAT(image.plan.scan, HasSubstr("short scan"));
    EXPECT_LT(error_of(image, head, 98).rmse, 1.1 * a);
  }
}

TEST(Fbp, FindsARotationCentreAndAnOffsetDetectorAnywhere) {
  const Vector3 away{35, -20, 10};
  const Solids head = head_of(80);
  for (CircularOrbit o : {parallel(160, 180), fan(160, 300, DetectorShape::flat)}) {
    o.detector_offset_u_mm = 3.3;
    const PlaneScan plain = plane_scan(head, o);
    PlaneScan shifted = plain;  // the same readings, the scanner and the head elsewhere
    for (View& v : shifted.views) {
      v.detector_origin_mm = plus(v.detector_origin_mm, away);
      if (o.beam == Beam::cone) v.source_mm = plus(v.source_mm, away);
    }
    const Slices a = reconstruct(plain, request_for(plain)), b = reconstruct(shifted, request_for(shifted));
    for (int k = 0; k < 3; ++k)
      EXPECT_NEAR(b.plan.grid.geometry.origin_mm[k] - a.plan.grid.geometry.origin_mm[k],
                  away[static_cast<std::size_t>(k)], 1e-6);
    EXPECT_LT(relative(b.values, a.values), 1e-4);
    EXPECT_LT(error_of(a, head, 78).rmse, 0.14);
  }
}

TEST(Fbp, UnevenAnglesCountByTheirShare) {
  Solids water;
  water_cylinder(80, 300, &water);
  for (const int beam : {0, 1, 2}) {
    CircularOrbit o =
        beam == 0 ? parallel(128, 1) : fan(128, 1, beam == 1 ? DetectorShape::flat : DetectorShape::curved);
    std::vector<View> views;
    Philox random(4, 0);
    for (double angle = 0.0; angle < (beam == 0 ? pi : 2 * pi); angle += random.uniform(0.2, 3) * pi / 180)
      views.push_back(o.view_at(angle));
    const PlaneScan scan = plane_scan(water, views, o);
    const Slices image = reconstruct(scan, request_for(scan));
    const PlaneError e = error_of(image, water, 60);
    EXPECT_NEAR(e.mean, 0.0, 3e-3) << beam;
    EXPECT_LT(e.rmse, 0.02) << beam;
  }
}

TEST(Fbp, SlicesLieWhereTheRowsAreWhicheverWayTheyRun) {
  Solids ball{{make_solid(Solid::ellipsoid, {0, 0, 20}, {50, 40, 12}, no_turn, 1.0, label_lung)},
              Composition::additive};
  CircularOrbit o = parallel(96, 150);
  o.rows = 21;
  o.row_step_mm = 4;
  const PlaneScan up = plane_scan(ball, o);
  PlaneScan down = up;
  for (View& v : down.views) {
    v.detector_origin_mm = v.element_mm(0, 20);
    v.v_step_mm = times(-1.0, v.v_step_mm);
  }
  for (std::size_t n = 0; n < down.views.size(); ++n)
    for (std::size_t j = 0; j < 21; ++j)
      std::copy_n(up.projections.begin() + static_cast<std::ptrdiff_t>((n * 21 + j) * 96), 96,
                  down.projections.begin() + static_cast<std::ptrdiff_t>((n * 21 + 20 - j) * 96));
  const Slices a = reconstruct(up, request_for(up)), b = reconstruct(down, request_for(down));
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.plan.grid.geometry.origin_mm[2], -40.0);
  EXPECT_LT(error_of(a, ball, 100).rmse, 0.06);
}

/// Filtered back projection of a disc of 1/mm with radius R in rays that pass the centre within a, at radius r < a. The
/// rays left out count with the ramp's -1 / (2 π² s²), and over half a turn 1 / (s - r cos θ)² adds up to
/// π s / (s² - r²)^(3/2).
double truncated_disc(double R, double a, double r) {
  const double inside = a * a - r * r;
  return 1.0 + 2.0 / pi * (std::sqrt((R * R - a * a) / inside) - std::acos(std::sqrt(inside / (R * R - r * r))));
}

/// In HU: the middle, and the rim at nine tenths of the field.
struct Cupping {
  double middle, rim;
};
Cupping cupping_of(const PlaneScan& scan, const FbpRequest& request, double field_mm) {
  const Slices image = reconstruct(scan, request);
  const VolumeGrid& g = image.plan.grid;
  double sum[2] = {}, count[2] = {};
  for (std::int64_t y = 0; y < g.ny; ++y)
    for (std::int64_t x = 0; x < g.nx; ++x) {
      const Vector3 p = g.geometry.position_mm(static_cast<double>(x), static_cast<double>(y), 0);
      const double r = std::hypot(p[0], p[1]);
      const int k = r < 10 ? 0 : std::fabs(r - 0.9 * field_mm) < 1.5 ? 1 : -1;
      if (k < 0) continue;
      sum[k] += image.values[static_cast<std::size_t>(y * g.nx + x)] - 1.0;
      ++count[k];
    }
  return {1000.0 * sum[0] / count[0], 1000.0 * sum[1] / count[1]};
}

TEST(Fbp, OfATruncatedDiscCupsAsItsClosedFormSaysAndTheExtensionTakesMostOfIt) {
  Solids water;
  water_cylinder(110, 300, &water);
  for (const int beam : {0, 1, 2, 3}) {
    CircularOrbit o =
        beam == 0 ? parallel(144, 300) : fan(144, 480, beam == 1 ? DetectorShape::flat : DetectorShape::curved);
    o.column_step_mm = beam == 0 ? 1.0 : 1.6;
    if (beam == 3) o = short_scan(o);
    const double half = 0.5 * o.columns * o.column_step_mm;
    const double field = beam == 0   ? half
                         : beam == 1 ? 500 * std::sin(std::atan2(half, 800))
                                     : 500 * std::sin(half / 800);
    const PlaneScan scan = plane_scan(water, o);
    FbpRequest r = request_for(scan);
    const Cupping none = cupping_of(scan, r, field);
    r.truncation = RowTruncation::roll_off;
    const Cupping roll_off = cupping_of(scan, r, field);
    r.truncation = RowTruncation::water_cylinder;
    r.mu_water_per_mm = 1.0;
    r.extension_mm = 80;
    const Cupping cylinder = cupping_of(scan, r, field);
    EXPECT_NEAR(none.middle, 1000.0 * (truncated_disc(110, field, 0) - 1.0), 5.0) << beam;
    EXPECT_NEAR(none.rim, 1000.0 * (truncated_disc(110, field, 0.9 * field) - 1.0), 20.0) << beam;
    EXPECT_NEAR(roll_off.middle, 0.0, 50.0) << beam;
    EXPECT_NEAR(roll_off.rim, 0.0, 115.0) << beam;
    EXPECT_NEAR(cylinder.middle, 0.0, 10.0) << beam;
    EXPECT_NEAR(cylinder.rim, 0.0, 25.0) << beam;
  }
}

TEST(Fbp, OnADeviceExtendsRowsAsTheCpuDoes) {
  const Solids head = head_of(100);
  for (const int beam : {0, 1, 2})
    for (const double shift : {0.0, 25.0, -25.0}) {
      CircularOrbit o =
          beam == 0 ? parallel(61, 90, 2 * pi) : fan(61, 90, beam == 1 ? DetectorShape::flat : DetectorShape::curved);
      o.column_step_mm = 2;
      o.detector_offset_u_mm = shift;
      const PlaneScan scan = plane_scan(head, o);
      FbpRequest r = request_for(scan);
      r.mu_water_per_mm = 0.9;
      for (const RowTruncation truncation :
           {RowTruncation::none, RowTruncation::roll_off, RowTruncation::water_cylinder}) {
        r.truncation = truncation;
        const Slices cpu = reconstruct(scan, r, nullptr);
        FbpEngine device(plan_fbp(r), &plain_fft(), 0, 2, nullptr);
        device.use(device.host_tables());
        const Scratch scratch(device.scratch_bytes());
        std::vector<float> image(cpu.values.size(), -7e30F);
        device.run(launcher_with(2), scan.projections.data(), image.data(), 0.0F, scratch.get(), nullptr, nullptr);
        EXPECT_LT(relative(image, cpu.values), 3e-6) << beam << ' ' << shift << ' ' << static_cast<int>(truncation);
      }
    }
}

ISOCENTER_DEVICE_SUITE(FbpOperator);

Projections projections_of(const CircularOrbit& orbit, const std::vector<View>& views, float value = 0.5F) {
  Projections p = Projections::describe(static_cast<std::int64_t>(views.size()), orbit.rows, orbit.columns);
  set_views(p, views, orbit.beam, orbit.detector);
  context().allocate(p);
  for (float& v : p.views().span<float>()) v = value;
  return p;
}

TEST_P(FbpOperator, RefusesWhatItCannotDo) {
  const auto refusal = [&](const Projections& p, FbpReconstruction::Params params = {.unit = AttenuationUnit::per_mm}) {
    return testing::error_of([&] { (void)apply<FbpReconstruction>(context(), params, p, options()); });
  };
  CircularOrbit o = parallel(48, 60);
  EXPECT_THAT(refusal(projections_of(o, {o.view_at(0)})), AllOf(HasSubstr("1 view"), HasSubstr("at least 3")));
  auto views = o.build();
  views.erase(views.begin() + 20, views.begin() + 30);
  EXPECT_THAT(refusal(projections_of(o, views)), AllOf(HasSubstr("leave out 33 deg"), HasSubstr("after view 19")));
  EXPECT_THAT(refusal(projections_of(o, parallel(48, 8).build())), HasSubstr("leave out 22.5 deg"));
  EXPECT_THAT(refusal(projections_of(o, parallel(48, 60, 2.0).build())), HasSubstr("after view 59"));

  CircularOrbit cone = fan(48, 90, DetectorShape::flat);
  cone.rows = 6;
  EXPECT_THAT(refusal(projections_of(cone, cone.build())),
              AllOf(HasSubstr("6 rows"), HasSubstr("fdk_reconstruction"), HasSubstr("stacked_fans")));
  cone.rows = 1;
  cone.detector = DetectorShape::curved;  // said to be curved, laid out flat
  EXPECT_THAT(refusal(projections_of(cone, fan(48, 90, DetectorShape::flat).build())), HasSubstr("view 0"));
  CircularOrbit brief = fan(48, 90, DetectorShape::flat);
  brief.arc_rad = pi;
  EXPECT_THAT(refusal(projections_of(brief, brief.build())), HasSubstr("a short scan needs 180 deg and the fan"));
  EXPECT_THAT(refusal(projections_of(o, o.build()), {}), HasSubstr("mu_water_per_mm"));
  EXPECT_THAT(refusal(projections_of(o, o.build()), {.spacing_mm = {1, 1, 1}, .unit = AttenuationUnit::per_mm}),
              HasSubstr("one or two"));
  CircularOrbit near = fan(48, 90, DetectorShape::flat);
  EXPECT_THAT(refusal(projections_of(near, near.build()), {.spacing_mm = {40}, .unit = AttenuationUnit::per_mm}),
              HasSubstr("the source"));
  CircularOrbit wide = fan(48, 90, DetectorShape::curved);
  EXPECT_THAT(refusal(projections_of(wide, wide.build()),
                      {.truncation = Truncation::roll_off, .extension_mm = 5000, .unit = AttenuationUnit::per_mm}),
              AllOf(HasSubstr("extension_mm = 5000"), HasSubstr("162 deg"), HasSubstr("or less")));
  EXPECT_THAT(refusal(projections_of(o, o.build()),
                      {.truncation = Truncation::water_cylinder, .unit = AttenuationUnit::per_mm}),
              HasSubstr("truncation to none or roll_off"));
  Projections broken = projections_of(o, o.build());
  broken.views().span<float>()[17 * 48 + 5] = std::nanf("");
  EXPECT_THAT(refusal(broken), AllOf(HasSubstr("view 17"), HasSubstr("column 5"), HasSubstr("not a number")));
}

TEST_P(FbpOperator, GivesHounsfieldUnitsAndTheCpusSlicesOnEveryDevice) {
  Solids water;
  water_cylinder(80, 300, &water);
  CircularOrbit o = fan(96, 240, DetectorShape::curved);
  const PlaneScan scan = plane_scan(water, o);
  Projections p = projections_of(o, scan.views);
  std::transform(scan.projections.begin(), scan.projections.end(), p.views().span<float>().begin(),
                 [](float v) { return 0.02F * v; });
  const FbpReconstruction::Params params{.window = FdkWindow::hann, .mu_water_per_mm = 0.02};
  const Volume there(apply<FbpReconstruction>(context(), params, p, options()));
  const Volume cpu(apply<FbpReconstruction>(context(), params, p));
  EXPECT_EQ(there.unit(), "HU");
  EXPECT_EQ(there.nz(), 1);
  EXPECT_NEAR(there.values()[48 * 96 + 48], 0.0, 3.0);
  double most = 0.0;
  for (std::size_t i = 0; i < cpu.values().size(); ++i)
    most = std::max(most, std::fabs(static_cast<double>(cpu.values()[i]) - there.values()[i]));
  EXPECT_LT(most, 0.05) << "HU";
}

}  // namespace
}  // namespace isocenter::testing
