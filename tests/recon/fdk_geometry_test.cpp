// Detectors and orbits that are not aligned with the volume: skewed, tilted, turned, shaken, around another axis. Each
// against the phantom, beside the aligned scan of the same phantom; the tuned kernel against the reference.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <isocenter/recon/vector3.hpp>
#include <numbers>

#include "phantom/poisson.hpp"
#include "recon/fdk_detector.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

constexpr double degree = std::numbers::pi / 180;

/// `v` turned around a unit vector.
Vector3 turned(const Vector3& v, const Vector3& axis, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  return plus(plus(times(c, v), times(s, cross(axis, v))), times((1 - c) * dot(axis, v), axis));
}

/// The detector turned around its centre, about an axis of its own: 0 along rows, 1 along columns, 2 its normal.
void turn_detector(View* v, int columns, int rows, int own_axis, double angle) {
  const Vector3 centre = v->element_mm(0.5 * (columns - 1), 0.5 * (rows - 1));
  const Vector3 u = unit(v->u_step_mm), w = unit(v->v_step_mm), axes[3] = {u, w, cross(u, w)};
  const Vector3& axis = axes[own_axis];
  v->u_step_mm = turned(v->u_step_mm, axis, angle);
  v->v_step_mm = turned(v->v_step_mm, axis, angle);
  v->detector_origin_mm =
      minus(minus(centre, times(0.5 * (columns - 1), v->u_step_mm)), times(0.5 * (rows - 1), v->v_step_mm));
}

/// The whole gantry turned around the isocentre, about one of the patient's axes.
void turn_gantry(View* v, const Vector3& axis, double angle) {
  for (Vector3* p : {&v->source_mm, &v->detector_origin_mm, &v->u_step_mm, &v->v_step_mm}) *p = turned(*p, axis, angle);
}

constexpr int n = 72;
CircularOrbit orbit() {
  CircularOrbit o{.views = 200, .columns = n, .rows = n};
  o.column_step_mm = o.row_step_mm = 1.5 * 250.0 / n;
  return o;
}

struct Misalignment {
  const char* what;
  std::function<void(View*, int)> detector = [](View*, int) {};  ///< turns the detector of a view
  std::vector<std::pair<Vector3, double>> gantry = {};           ///< turns of everything, the phantom too
  double arc_deg = 360;
  int column_axis = 2;
};
std::ostream& operator<<(std::ostream& os, const Misalignment& m) { return os << m.what; }

class FdkGeometry : public ::testing::TestWithParam<Misalignment> {};

const Vector3 x_axis = {1, 0, 0}, y_axis = {0, 1, 0};
INSTANTIATE_TEST_SUITE_P(
    Misalignments, FdkGeometry,
    ::testing::Values(Misalignment{"skew of 2 deg", [](View* v, int) { turn_detector(v, n, n, 2, 2 * degree); }},
                      Misalignment{"skew of 90 deg", [](View* v, int) { turn_detector(v, n, n, 2, 90 * degree); }},
                      Misalignment{"pitch of 5 deg", [](View* v, int) { turn_detector(v, n, n, 0, 5 * degree); }},
                      Misalignment{"yaw of 5 deg", [](View* v, int) { turn_detector(v, n, n, 1, 5 * degree); }},
                      Misalignment{"every view its own way",
                                   [](View* v, int view) {
                                     Philox random(5, static_cast<std::uint64_t>(view));
                                     for (int k = 0; k < 3; ++k)
                                       turn_detector(v, n, n, k, random.uniform(-2, 2) * degree);
                                     for (std::size_t k = 0; k < 3; ++k) {
                                       v->detector_origin_mm[k] += random.uniform(-4, 4);
                                       v->source_mm[k] += random.uniform(-3, 3);
                                     }
                                   }},
                      Misalignment{.what = "orbit tilted by 25 deg", .gantry = {{x_axis, 25 * degree}}},
                      Misalignment{
                          .what = "short scan tilted by 25 deg", .gantry = {{y_axis, 25 * degree}}, .arc_deg = 205},
                      Misalignment{.what = "orbit around x", .gantry = {{y_axis, 90 * degree}}, .column_axis = 0},
                      Misalignment{.what = "orbit around y", .gantry = {{x_axis, 90 * degree}}, .column_axis = 1},
                      Misalignment{.what = "orbit oblique to all axes",
                                   .gantry = {{x_axis, 40 * degree}, {y_axis, 35 * degree}},
                                   .column_axis = 1},
                      Misalignment{"orbit around x, skewed",
                                   [](View* v, int) { turn_detector(v, n, n, 2, -1 * degree); },
                                   {{y_axis, 88 * degree}},
                                   360,
                                   0}),
    [](const auto& info) {
      std::string name;
      for (const char c : std::string(info.param.what)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

/// Balls of several sizes and contrasts, near the orbit's plane whatever its axis, so that Feldkamp's own error is
/// small.
Solids balls(const Misalignment& m) {
  Solids solids{{}, Composition::additive};
  const auto ball = [&](Vector3 at, double radius, double value) {
    for (const auto& [axis, angle] : m.gantry) at = turned(at, axis, angle);
    solids.list.push_back(make_solid(Solid::ellipsoid, at, {radius, radius, radius}, no_turn, value, label_lung));
  };
  ball({0, 0, 0}, 70, 1.0);
  ball({25, 10, -8}, 18, 0.3);
  ball({-30, -15, 12}, 12, -0.4);
  ball({-5, 30, 20}, 9, 0.6);
  ball({10, -35, -25}, 14, -0.2);
  return solids;
}

TEST_P(FdkGeometry, IsReconstructedAsWellAsTheAlignedScan) {
  const Misalignment& m = GetParam();
  CircularOrbit o = orbit();
  o.arc_rad = m.arc_deg * degree;
  const Solids upright = balls({"aligned"}), solids = balls(m);
  auto views = o.build();
  const Scan plain = scan_of(upright, views, n, n);
  for (std::size_t k = 0; k < views.size(); ++k) {
    m.detector(&views[k], static_cast<int>(k));
    for (const auto& [axis, angle] : m.gantry) turn_gantry(&views[k], axis, angle);
  }
  const Scan scan = scan_of(solids, views, n, n);

  FdkRequest r = request_for(plain);
  r.spacing_mm = {3, 3, 3};
  r.nx = 61, r.ny = 63, r.nz = 59;
  const Image aligned = reconstruct(plain, r, launcher_with(2));
  r.views = scan.views;
  const FdkPlan plan = plan_fdk(r);
  EXPECT_TRUE(plan.aligned);
  EXPECT_EQ(plan.column_axis, m.column_axis);
  const Image image = reconstruct(scan, r, launcher_with(2));
  const double error = error_of_image(image, truth_on(image.grid, solids, 3), 85, 85).relative_error;
  const double aligned_error = error_of_image(aligned, truth_on(image.grid, upright, 3), 85, 85).relative_error;
  EXPECT_LT(error, 1.1 * aligned_error);

  const Image reference = reconstruct(scan, r, launcher_with(2, true));
  EXPECT_LT(relative_difference(image.voxels, reference.voxels), 5e-6);
}

}  // namespace
}  // namespace isocenter::testing
