// Line integrals against closed forms, and against the numerical integral of the exact value along the same ray.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numbers>

#include "phantom/poisson.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

double along(const Solids& solids, const Vector3& from, const Vector3& to) {
  Vector3 d{};
  double length = 0.0;
  for (std::size_t k = 0; k < 3; ++k) length += (to[k] - from[k]) * (to[k] - from[k]);
  length = std::sqrt(length);
  for (std::size_t k = 0; k < 3; ++k) d[k] = (to[k] - from[k]) / length;
  const auto hits = std::make_unique<Hits>();
  const auto all = std::make_unique<Candidates>();
  for (std::size_t i = 0; i < solids.list.size(); ++i) all->index[all->count++] = static_cast<std::int16_t>(i);
  find_hits(solids.view(), *all, nullptr, from.data(), d.data(), 0.0, length, hits.get());
  return integrate(solids.view(), *hits);
}

Solids one(const Primitive& p) { return {{p}, Composition::additive}; }

TEST(LineIntegral, OfABallIsItsChord) {
  const Solids ball = one(make_solid(Solid::ellipsoid, {3, -4, 5}, {20, 20, 20}, turn_around(0, 0.7), 2.5, label_lung));
  for (const double off : {0.0, 7.0, 15.0, 19.999}) {
    const double chord = 2.0 * std::sqrt(400.0 - off * off);
    EXPECT_NEAR(along(ball, {-500, -4 + off, 5}, {500, -4 + off, 5}), 2.5 * chord, 1e-9) << off;
  }
  EXPECT_EQ(along(ball, {-500, 16.1, 5}, {500, 16.1, 5}), 0.0);
}

TEST(LineIntegral, OfATurnedEllipsoidFollowsItsAxes) {
  // Turned by 30 degrees around z: a ray along the turned x axis meets the whole of it.
  const double a = std::numbers::pi / 6.0;
  const Solids e = one(make_solid(Solid::ellipsoid, {0, 0, 0}, {30, 10, 5}, turn_around(2, a), 1.0, label_bone));
  EXPECT_NEAR(along(e, {-100 * std::cos(a), -100 * std::sin(a), 0}, {100 * std::cos(a), 100 * std::sin(a), 0}), 60.0,
              1e-9);
  EXPECT_NEAR(along(e, {100 * std::sin(a), -100 * std::cos(a), 0}, {-100 * std::sin(a), 100 * std::cos(a), 0}), 20.0,
              1e-9);
  EXPECT_NEAR(along(e, {0, 0, -100}, {0, 0, 100}), 10.0, 1e-9);
}

TEST(LineIntegral, OfACylinderEndsAtItsLids) {
  const Solids c = one(make_solid(Solid::cylinder, {0, 0, 0}, {10, 10, 40}, no_turn, 1.0, label_bone));
  EXPECT_NEAR(along(c, {0, 0, -100}, {0, 0, 100}), 80.0, 1e-9) << "along the axis";
  EXPECT_NEAR(along(c, {-100, 6, 39}, {100, 6, 39}), 16.0, 1e-9);
  EXPECT_EQ(along(c, {-100, 6, 41}, {100, 6, 41}), 0.0);
  // In through a lid, out through the side: from (0, 0, 40) in direction (1, 0, -1).
  EXPECT_NEAR(along(c, {-50, 0, 90}, {50, 0, -10}), 10.0 * std::numbers::sqrt2, 1e-9);
}

TEST(LineIntegral, CountsOnlyWhatLiesBetweenSourceAndDetector) {
  const Solids ball = one(make_solid(Solid::ellipsoid, {0, 0, 0}, {20, 20, 20}, no_turn, 1.0, label_lung));
  EXPECT_NEAR(along(ball, {0, 0, 0}, {500, 0, 0}), 20.0, 1e-9);
  EXPECT_NEAR(along(ball, {-500, 0, 0}, {-10, 0, 0}), 10.0, 1e-9);
}

TEST(LineIntegral, OfACutSolidIsThePartThatStays) {
  Primitive ball = make_solid(Solid::ellipsoid, {0, 0, 10}, {20, 20, 20}, no_turn, 1.0, label_lung);
  const Solids dome = one(cut(ball, {0, 0, 2}, 5.0, 1e9));
  EXPECT_NEAR(along(dome, {0, 0, -100}, {0, 0, 100}), 15.0, 1e-9);
  EXPECT_EQ(along(dome, {-100, 0, 14}, {100, 0, 14}), 0.0);
}

TEST(LineIntegral, PaintedSolidsHideWhatIsBelow) {
  Solids s;
  s.composition = Composition::painted;
  s.list.push_back(make_solid(Solid::ellipsoid, {0, 0, 0}, {50, 50, 50}, no_turn, 1.0, label_soft_tissue));
  s.list.push_back(make_solid(Solid::ellipsoid, {10, 0, 0}, {20, 20, 20}, no_turn, 0.25, label_lung));
  EXPECT_NEAR(along(s, {-100, 0, 0}, {100, 0, 0}), 60.0 * 1.0 + 40.0 * 0.25, 1e-9);
  s.composition = Composition::additive;
  EXPECT_NEAR(along(s, {-100, 0, 0}, {100, 0, 0}), 100.0 * 1.0 + 40.0 * 0.25, 1e-9);
}

/// The midpoint rule with this many steps; its error is at most a step times the largest jump at each border.
double numerical(const Solids& solids, const Vector3& from, const Vector3& to, int steps) {
  double sum = 0.0, length = 0.0;
  for (std::size_t k = 0; k < 3; ++k) length += (to[k] - from[k]) * (to[k] - from[k]);
  for (int i = 0; i < steps; ++i) {
    const double t = (i + 0.5) / steps;
    const double p[3] = {from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1]),
                         from[2] + t * (to[2] - from[2])};
    sum += value_at(solids.view(), p, nullptr);
  }
  return sum * std::sqrt(length) / steps;
}

TEST(LineIntegral, EqualsTheNumericalIntegralOfTheValue) {
  Solids head, chest;
  shepp_logan(Contrast::original, 100, &head);
  moving_thorax({.seed = 3, .heart_period_s = 0.9}, 1.3, &chest);
  Philox random(7, 0);
  for (const Solids* phantom : {&head, &chest})
    for (int k = 0; k < 40; ++k) {
      const auto end = [&] {
        return Vector3{random.uniform(-220, 220), random.uniform(-220, 220), random.uniform(-160, 160)};
      };
      const Vector3 from = end(), to = end();
      const int steps = 20000;
      const double step = 700.0 / steps;
      EXPECT_NEAR(along(*phantom, from, to), numerical(*phantom, from, to, steps), 40 * step) << k;
    }
}

TEST(Projection, HoldsTheLineIntegralOfEveryElement) {
  Solids chest;
  moving_thorax({}, 0.4, &chest);
  CircularOrbit orbit;
  orbit.views = 7;
  orbit.columns = 45;
  orbit.rows = 37;
  orbit.column_step_mm = 12;
  orbit.row_step_mm = 11;
  orbit.detector_offset_u_mm = 30;
  orbit.detector_offset_v_mm = -9;
  for (const Beam beam : {Beam::cone, Beam::parallel}) {
    orbit.beam = beam;
    if (beam == Beam::parallel) orbit.source_to_detector_mm = 1000, orbit.column_step_mm = 8;
    const auto views = orbit.build();
    std::vector<float> image(45 * 37);
    for (const View& view : views) {
      project(launcher_with(2), chest, view, beam, 37, 45, 0.02, image.data());
      for (int row = 0; row < 37; row += 3)
        for (int column = 0; column < 45; ++column) {
          const Vector3 p = view.element_mm(column, row);
          Vector3 from = view.source_mm, to = p;
          if (beam == Beam::parallel)
            for (std::size_t k = 0; k < 3; ++k) {
              from[k] = p[k] - 3000 * view.source_mm[k];
              to[k] = p[k] + 3000 * view.source_mm[k];
            }
          EXPECT_NEAR(image[static_cast<std::size_t>(row * 45 + column)], 0.02 * along(chest, from, to), 2e-6);
        }
    }
  }
}

TEST(Projection, OfTheGantryStandsWhereIec61217SaysItDoes) {
  CircularOrbit orbit;
  orbit.views = 4;
  const auto views = orbit.build();
  EXPECT_NEAR(views[0].source_mm[1], -1000, 1e-9) << "angle 0: in front of the patient";
  EXPECT_NEAR(views[1].source_mm[0], 1000, 1e-9) << "90 degrees: on the patient's left";
  EXPECT_NEAR(views[1].time_s, 15, 1e-12);
  const Vector3 middle = views[0].element_mm(127.5, 127.5);
  EXPECT_NEAR(middle[1], 500, 1e-9) << "the detector is behind the patient";
  EXPECT_GT(views[0].v_step_mm[2], 0.0);
}

TEST(Projection, IsTheSameForAnyNumberOfThreads) {
  Solids chest;
  moving_thorax({.seed = 11}, 0.4, &chest);
  const auto view = CircularOrbit{.columns = 61, .rows = 53, .column_step_mm = 8, .row_step_mm = 8}.build()[17];
  std::vector<float> one_thread(61 * 53), three_threads(61 * 53);
  project(launcher_with(1), chest, view, Beam::cone, 53, 61, 1, one_thread.data());
  project(launcher_with(3), chest, view, Beam::cone, 53, 61, 1, three_threads.data());
  EXPECT_EQ(one_thread, three_threads);
}

}  // namespace
}  // namespace isocenter::testing
