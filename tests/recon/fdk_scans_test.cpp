// Short scans, displaced detectors and truncated rows against the phantom and against the full scan.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/error.hpp>
#include <numbers>

#include "recon/fdk_redundancy.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double pi = std::numbers::pi;

TEST(ParkerWeights, OfALinesTwoRaysAddUpToOne) {
  for (const double arc : {3.5, 4.2, 5.5, 2 * pi - 0.01}) {
    const double half = 0.5 * (arc - pi);
    int twice = 0;
    for (double beta = 0.0; beta < arc; beta += 0.013)
      for (double gamma = -std::min(half, 0.25) + 1e-6; gamma < std::min(half, 0.25); gamma += 0.017) {
        // The same line from its other end.
        const double w = parker_weight(beta, gamma, arc);
        for (const double other : {beta + pi + 2 * gamma, beta - pi + 2 * gamma}) {
          if (other < 0.0 || other > arc) continue;
          ++twice;
          ASSERT_NEAR(w + parker_weight(other, -gamma, arc), 1.0, 1e-12) << arc << ' ' << beta << ' ' << gamma;
        }
        const bool alone = beta + pi + 2 * gamma > arc && beta - pi + 2 * gamma < 0.0;
        if (alone) {
          ASSERT_EQ(w, 1.0) << arc << ' ' << beta << ' ' << gamma;
        }
      }
    EXPECT_GT(twice, 1000);
  }
}

TEST(DisplacedWeights, OfALinesTwoRaysAddUpToTwo) {
  for (double gamma = -0.3; gamma <= 0.3; gamma += 0.01)
    ASSERT_NEAR(displaced_weight(gamma, 0.1) + displaced_weight(-gamma, 0.1), 2.0, 1e-12);
  EXPECT_EQ(displaced_weight(-0.1, 0.1), 0.0);
  EXPECT_EQ(displaced_weight(0.2, 0.1), 2.0);
}

CircularOrbit orbit_of(int n, int views, double field_mm) {
  CircularOrbit o{.views = views, .columns = n, .rows = n};
  o.column_step_mm = o.row_step_mm = 1.5 * field_mm / n;
  return o;
}

/// An arc, with as many views to the degree as a full circle of `per_turn`.
CircularOrbit arc_of(CircularOrbit o, double arc_deg, int per_turn, double first_deg) {
  o.arc_rad = arc_deg * pi / 180;
  o.first_angle_rad = first_deg * pi / 180;
  o.views = static_cast<int>(std::lround(per_turn * std::fabs(arc_deg) / 360));
  return o;
}

TEST(ShortScan, IsAsGoodAsTheFullCircle) {
  Solids head;
  shepp_logan(Contrast::original, 100, &head);
  const int n = 96, per_turn = 240;
  const CircularOrbit circle = orbit_of(n, per_turn, 256);
  const Scan full = scan_of(head, circle.build(), n, n);
  const Image whole = reconstruct(full, request_for(full), launcher_with(2));
  const Image truth = truth_on(whole.grid, head);
  const VolumeError best = error_of_image(whole, truth, 98, 8);
  // The fan is 14.6 degrees wide. Backwards, from any angle, and up to a circle that nearly closes.
  for (const double arc : {196.0, -196.0, 220.0, 270.0, 330.0, 350.0}) {
    const Scan scan = scan_of(head, arc_of(circle, arc, per_turn, 77.0).build(), n, n);
    const FdkPlan plan = plan_fdk(request_for(scan));
    EXPECT_FALSE(plan.arc.full) << arc;
    EXPECT_NEAR(plan.arc.length_rad, std::fabs(arc) * pi / 180, 1e-9);
    const Image image = reconstruct(scan, request_for(scan), launcher_with(2));
    const VolumeError e = error_of_image(image, truth, 98, 8);
    EXPECT_LT(e.rmse, 1.05 * best.rmse) << arc;
    EXPECT_NEAR(e.mean_error, best.mean_error, 1e-3) << arc;
  }
}

TEST(ShortScan, NamesTheAngleThatIsMissing) {
  Solids water;
  water_cylinder(50, 100, &water);
  const CircularOrbit o = arc_of(orbit_of(32, 90, 256), 185, 90, 10);
  const Scan scan = scan_of(water, o.build(), 32, 32);
  const auto message = [&] {
    try {
      plan_fdk(request_for(scan));
    } catch (const Failure& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(), AllOf(HasSubstr("the views cover 185 deg"), HasSubstr("the fan of 14."),
                               HasSubstr("deg are missing after view 45"), HasSubstr("Fix: scan at least 194.")));
}

TEST(DisplacedDetector, SeesTheFieldOfADetectorNearlyTwiceAsWide) {
  Solids head;
  shepp_logan(Contrast::original, 100, &head);
  const int n = 96, views = 240;
  const CircularOrbit wide = orbit_of(n, views, 256);
  const Scan full = scan_of(head, wide.build(), n, n);
  const Image whole = reconstruct(full, request_for(full), launcher_with(2));
  const Image truth = truth_on(whole.grid, head);
  const VolumeError best = error_of_image(whole, truth, 98, 8);
  // The same columns from the middle's left to the right end, and the mirror image of that.
  for (const double side : {1.0, -1.0}) {
    CircularOrbit half = wide;
    half.columns = 58;
    half.detector_offset_u_mm = side * 0.5 * (n - 58) * wide.column_step_mm;
    const Scan scan = scan_of(head, half.build(), 58, n);
    FdkRequest r = request_for(scan);
    r.nx = r.ny = n;
    const FdkPlan plan = plan_fdk(r);
    EXPECT_TRUE(plan.displaced);
    EXPECT_EQ(plan.columns, n);
    EXPECT_NEAR(plan.field_of_view_mm, plan_fdk(request_for(full)).field_of_view_mm, 1e-6);
    const VolumeError e = error_of_image(reconstruct(scan, r, launcher_with(2)), truth, 98, 8);
    EXPECT_LT(e.rmse, 1.03 * best.rmse);
    EXPECT_NEAR(e.mean_error, best.mean_error, 1e-3);
  }
}

TEST(Truncation, CupsAPhantomLargerThanTheDetectorAndTheExtensionTakesMostOfIt) {
  Solids water;
  water_cylinder(110, 400, &water);
  // The detector sees 72 mm around the axis of a cylinder of 110 mm.
  CircularOrbit o{.views = 200, .columns = 96, .rows = 8, .column_step_mm = 2.25, .row_step_mm = 2.25};
  const Scan scan = scan_of(water, o.build(), 96, 8);
  FdkRequest r = request_for(scan);
  r.scale = 1000.0;
  struct Profile {
    double centre, rim;
  };
  const auto profile = [&] {
    const Image image = reconstruct(scan, r, launcher_with(2), -1000.0F);
    double sum[2] = {}, count[2] = {};
    for (std::int64_t y = 0; y < image.grid.ny; ++y)
      for (std::int64_t x = 0; x < image.grid.nx; ++x) {
        const double d = std::hypot(image.grid.origin_mm[0] + static_cast<double>(x) * image.grid.spacing_mm[0],
                                    image.grid.origin_mm[1] + static_cast<double>(y) * image.grid.spacing_mm[1]);
        const int k = d < 15 ? 0 : d > 57 && d < 65 ? 1 : -1;
        if (k >= 0) sum[k] += image.at(x, y, 4), ++count[k];
      }
    return Profile{sum[0] / count[0], sum[1] / count[1]};
  };
  const Profile none = profile();
  r.truncation = RowTruncation::roll_off;
  const Profile roll_off = profile();
  r.truncation = RowTruncation::water_cylinder;
  r.mu_water_per_mm = 1.0;  // the phantom's
  r.extension_mm = 60;
  const Profile cylinder = profile();
  // Without it the rim stands 700 HU above water, the middle 200.
  EXPECT_GT(none.rim - none.centre, 400.0);
  EXPECT_GT(none.centre, 150.0);
  EXPECT_LT(std::fabs(roll_off.rim - roll_off.centre), 60.0);
  EXPECT_NEAR(roll_off.centre, 0.0, 60.0);
  // With a cylinder of water, which is what stands there, little is left.
  EXPECT_NEAR(cylinder.centre, 0.0, 20.0);
  EXPECT_NEAR(cylinder.rim, 0.0, 40.0);
}

}  // namespace
}  // namespace isocenter::testing
