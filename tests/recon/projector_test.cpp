// Joseph's projectors: the adjoint, the variants, closed forms, and line integrals of the phantom.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/back_projection.hpp>
#include <isocenter/recon/forward_projection.hpp>
#include <limits>

#include "device_test.hpp"
#include "projector_test_data.hpp"
#include "recon/joseph_variant.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Setting settings[] = {
    {.name = "cone", .aligned = true},
    {.name = "coarse along z", .voxel_mm = {2.2, 2.2, 9.1}, .aligned = true},
    {.name = "fine along z", .voxel_mm = {2.2, 2.2, 0.6}, .aligned = true},
    {.name = "many rows", .rows = 77, .nz = 151, .voxel_mm = {2.2, 2.2, 0.9}, .step_mm = 1.7, .aligned = true},
    {.name = "parallel", .beam = Beam::parallel, .aligned = true},
    {.name = "curved", .detector = DetectorShape::curved, .aligned = true},
    {.name = "curved fan", .detector = DetectorShape::curved, .rows = 1, .nz = 1, .aligned = true},
    {.name = "fan", .columns = 67, .rows = 1, .nx = 37, .ny = 41, .nz = 1, .voxel_mm = {4.2, 4.2, 4.2}},
    {.name = "parallel fan", .beam = Beam::parallel, .columns = 61, .rows = 1, .nz = 1},
    {.name = "tilted cone", .tilted = true},
    {.name = "tilted parallel", .beam = Beam::parallel, .tilted = true},
    {.name = "tilted curved", .detector = DetectorShape::curved, .tilted = true},
    {.name = "tilted, coarse rows", .rows = 7, .voxel_mm = {0.9, 0.9, 0.7}, .step_mm = 8, .tilted = true},
    {.name = "tilted, fine rows", .columns = 11, .rows = 150, .voxel_mm = {4, 4, 5}, .step_mm = 0.7, .tilted = true},
    {.name = "tilted, long", .rows = 60, .nz = 170, .voxel_mm = {2.2, 2.2, 1.1}, .tilted = true},
    {.name = "turned", .tilted = true, .turns = true},
    {.name = "turned parallel", .beam = Beam::parallel, .tilted = true, .turns = true},
    {.name = "fine fan", .columns = 333, .rows = 1, .nx = 31, .ny = 67, .nz = 1, .voxel_mm = {4, 4, 4}, .step_mm = 0.6},
    {.name = "coarse fan", .columns = 29, .rows = 1, .nx = 67, .ny = 35, .nz = 1, .step_mm = 7},
    {.name = "tilted fan", .columns = 61, .rows = 1, .nz = 1, .voxel_mm = {4.2, 4.2, 50}, .tilted = true},
    {.name = "tilted parallel fan",
     .beam = Beam::parallel,
     .columns = 61,
     .rows = 1,
     .nz = 1,
     .voxel_mm = {2.2, 2.2, 30},
     .tilted = true},
    {.name = "one voxel", .nx = 1, .ny = 1, .nz = 1, .aligned = true},
    {.name = "larger than the field of view", .voxel_mm = {9, 9, 9}, .aligned = true},
};

/// |<Ax, y> - <x, A'y>| in parts of ‖Ax‖ ‖y‖.
double adjoint_error(const TestProjector& p, const Launcher& launcher) {
  const std::vector<float> x = noise(p.voxels(), 1), y = noise(p.rays(), 2);
  const std::vector<float> ax = p.forward(x, launcher), aty = p.back(y, launcher);
  return std::fabs(product(ax, y) - product(x, aty)) / std::sqrt(product(ax, ax) * product(y, y));
}

TEST(Projector, IsItsOwnAdjointToRoundingInEveryGeometry) {
  for (const Setting& s : settings) {
    const TestProjector p(s);
    EXPECT_EQ(p.plan().aligned, s.aligned) << s.name;
    EXPECT_LT(adjoint_error(p, launcher_with(2, true)), 3e-7) << s.name << ", reference";
    EXPECT_LT(adjoint_error(p, launcher_with(2)), 3e-7) << s.name;
  }
}

TEST(Projector, EveryVariantGivesWhatTheReferenceGives) {
  for (const Setting& s : settings) {
    const TestProjector p(s);
    ASSERT_TRUE(p.plan().separated) << s.name;
    const std::vector<float> x = p.taken_volume(noise(p.voxels(), 3)), y = p.taken_views(noise(p.rays(), 4));
    const Launcher launcher = launcher_with(2, true);
    std::vector<float> expected_views(y.size()), expected_volume(x.size());
    p.projector().forward(launcher, x.data(), p.order(), p.views(), expected_views.data(), nullptr);
    p.projector().back(launcher, y.data(), p.order(), p.views(), expected_volume.data(), nullptr);
    for (const JosephVariant* variant : {joseph_variant_avx512(), joseph_variant_avx2()}) {
      if (variant == nullptr) continue;
      const ProjectorPlan& plan = p.plan();
      const JosephScan scan{plan.lines.data(), p.order(),  p.views(),
                            plan.runs,         plan.stack, {plan.plane[0], plan.plane[1], plan.plane[2]}};
      const int fast = plan.volume.fast;
      const auto expect_the_same = [&](const std::vector<float>& views, const std::vector<float>& volume) {
        EXPECT_LT(relative_difference(views, expected_views), 1e-5) << s.name << ", " << variant->name;
        EXPECT_LT(relative_difference(volume, expected_volume), 1e-5) << s.name << ", " << variant->name;
      };
      std::vector<float> views(y.size(), -7e30F), volume(x.size(), 0.0F);
      if (s.aligned) {
        const Scratch scratch(joseph_simd_scratch(plan.plane, fast, plan.stack, 2));
        joseph_forward_by(launcher, *variant, {scan, x.data(), views.data()}, fast, scratch.get());
        joseph_adjoint_by(launcher, *variant, {scan, y.data(), volume.data(), 0}, fast, scratch.get());
        expect_the_same(views, volume);
        views.assign(y.size(), -7e30F), volume.assign(x.size(), 0.0F);
      }
      const Scratch scratch(joseph_any_scratch(plan.plane, fast, plan.stack, plan.turns, 2));
      joseph_forward_any_by(launcher, *variant, {scan, x.data(), views.data()}, fast, plan.turns, scratch.get());
      joseph_adjoint_any_by(launcher, *variant, {scan, y.data(), volume.data(), 0}, fast, plan.turns, scratch.get());
      expect_the_same(views, volume);
    }
  }
}

TEST(Projector, OfAFanWiderThanARightAngleSeesBothSidesAlike) {
  // 53 degrees to each side: the outer rays of both sides step along the same axis, in opposite directions.
  const Setting s{.name = "wide fan",
                  .views = 4,
                  .columns = 101,
                  .rows = 1,
                  .nx = 41,
                  .ny = 41,
                  .nz = 1,
                  .voxel_mm = {40, 40, 40},
                  .step_mm = 40,
                  .first_angle = 0};
  const TestProjector p(s);
  const std::vector<float> lines = p.forward(std::vector<float>(p.voxels(), 1.0F), launcher_with(2));
  for (std::size_t n = 0; n < 4; ++n)
    for (std::size_t j = 0; j < 50; ++j) {
      const float left = lines[n * 101 + j], right = lines[n * 101 + 100 - j];
      EXPECT_GT(left, 300.0F) << "view " << n << ", column " << j;
      EXPECT_NEAR(left, right, 5e-3 * left) << "view " << n << ", column " << j;
    }
}

TEST(Projector, GivesTheSameBitsForEveryNumberOfThreads) {
  for (const Setting& s : {settings[0], settings[7], settings[9]}) {
    const TestProjector p(s);
    const std::vector<float> x = noise(p.voxels(), 5), y = noise(p.rays(), 6);
    for (const bool reference : {false, true}) {
      EXPECT_EQ(p.forward(x, launcher_with(1, reference)), p.forward(x, launcher_with(3, reference))) << s.name;
      EXPECT_EQ(p.back(y, launcher_with(1, reference)), p.back(y, launcher_with(5, reference))) << s.name;
    }
  }
}

TEST(Projector, OfALinearFunctionIsTheClosedForm) {
  // On f = 1 + g·r linear interpolation is exact, so the sum over the planes is the midpoint rule, which is exact too:
  // (ray's length over nx planes) · f at the ray's middle. Rays that leave through the x faces only.
  const int n = 40;
  const VolumeGrid grid{n, n, n, Geometry::centred(n, n, n, {1.5, 1.5, 1.5})};
  const Vector3 g = {0.004, -0.01, 0.007};
  std::vector<float> x;
  for (int k = 0; k < n; ++k)
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < n; ++i) {
        const auto r = grid.geometry.position_mm(i, j, k);
        x.push_back(static_cast<float>(1 + g[0] * r[0] + g[1] * r[1] + g[2] * r[2]));
      }
  CircularOrbit o{.views = 1, .columns = 9, .rows = 7, .column_step_mm = 4, .row_step_mm = 4};
  o.first_angle_rad = std::numbers::pi / 2;  // along x
  const auto views = o.build();
  const TestProjector p(views, Beam::cone, DetectorShape::flat, 9, 7, grid);
  for (const bool reference : {true, false}) {
    const std::vector<float> ax = p.forward(x, launcher_with(1, reference));
    for (int j = 0; j < 7; ++j)
      for (int i = 0; i < 9; ++i) {
        const Vector3 d = minus(views[0].element_mm(i, j), views[0].source_mm);
        const double middle = -views[0].source_mm[0] / d[0];
        const Vector3 r = plus(views[0].source_mm, times(middle, d));
        const double expected = n * 1.5 * length(d) / std::fabs(d[0]) * (1 + dot(g, r));
        ASSERT_NEAR(ax[static_cast<std::size_t>(9 * j + i)], expected, 2e-5 * expected) << i << ", " << j;
      }
  }
}

/// ‖error‖ of projecting exp(-|r - c|² / 2σ²), whose integral along a line at distance d from c is
/// σ √(2π) exp(-d² / 2σ²), from voxels of the given size.
double error_of_a_gaussian(Setting s, double voxel_mm) {
  const double sigma = 9;
  const Vector3 centre = {3, -4, 2};
  const int n = static_cast<int>(std::lround(120 / voxel_mm));
  s.nx = n, s.ny = n - 1, s.nz = n + 1;
  const VolumeGrid grid{s.nx, s.ny, s.nz, Geometry::centred(s.nx, s.ny, s.nz, {voxel_mm, voxel_mm, voxel_mm})};
  std::vector<float> x, expected;
  for (int k = 0; k < s.nz; ++k)
    for (int j = 0; j < s.ny; ++j)
      for (int i = 0; i < s.nx; ++i) {
        const auto r = minus(grid.geometry.position_mm(i, j, k), centre);
        x.push_back(static_cast<float>(std::exp(-dot(r, r) / (2 * sigma * sigma))));
      }
  const auto views = views_of_setting(s);
  for (const View& view : views)
    for (int j = 0; j < s.rows; ++j)
      for (int i = 0; i < s.columns; ++i) {
        const Vector3 e = view.element_mm(i, j, s.detector);
        const Vector3 along = s.beam == Beam::cone ? unit(minus(e, view.source_mm)) : view.source_mm;
        const Vector3 off = cross(along, minus(e, centre));
        expected.push_back(static_cast<float>(sigma * std::sqrt(2 * std::numbers::pi) *
                                              std::exp(-dot(off, off) / (2 * sigma * sigma))));
      }
  const TestProjector p(views, s.beam, s.detector, s.columns, s.rows, grid);
  return relative_difference(p.forward(x, launcher_with(2)), expected);
}

TEST(Projector, OfAGaussianConvergesToTheClosedFormWithTheSquareOfTheVoxelSize) {
  for (const Setting& s : {settings[0], settings[4], settings[5], settings[9], settings[11]}) {
    const double coarse = error_of_a_gaussian(s, 4), fine = error_of_a_gaussian(s, 2);
    EXPECT_LT(fine, 0.006) << s.name;
    EXPECT_LT(fine, coarse / 3.4) << s.name;
  }
}

TEST(Projector, OfThePhantomOnAFineGridIsItsLineIntegrals) {
  Solids head;
  shepp_logan(Contrast::modified, 60, &head);
  CircularOrbit o{.views = 5, .columns = 60, .rows = 44, .column_step_mm = 3, .row_step_mm = 3};
  const auto views = o.build();
  const Scan scan = scan_of(head, views, 60, 44);
  double last = 1;
  // What is reached is 6.0 % and 3.1 %: nearly all along the skull, a thin shell whose voxels are partly filled.
  for (const auto& [n, bound] : {std::pair{64, 0.063}, std::pair{144, 0.033}}) {
    const VolumeGrid grid{n, n, n, Geometry::centred(n, n, n, {128.0 / n, 128.0 / n, 128.0 / n})};
    const VoxelGrid g{n,
                      n,
                      n,
                      {grid.geometry.origin_mm[0], grid.geometry.origin_mm[1], grid.geometry.origin_mm[2]},
                      {128.0 / n, 128.0 / n, 128.0 / n}};
    const TestProjector p(views, Beam::cone, DetectorShape::flat, 60, 44, grid);
    const double error =
        relative_difference(p.forward(truth_on(g, head, 2).voxels, launcher_with(2)), scan.projections);
    EXPECT_LT(error, bound) << n;
    EXPECT_LT(error, last);
    last = error;
  }
}

TEST(Projector, RefusesWhatItDoesNotFollow) {
  Setting s{.name = "tall"};
  s.rows = 1001, s.step_mm = 30;  // 15 m of rows
  EXPECT_THAT(error_of([&] {
                try {
                  TestProjector p(s);
                } catch (const Failure& f) {
                  throw Error(ErrorCode::unsupported, f.what());
                }
              }),
              AllOf(HasSubstr("view 0"), HasSubstr("column 0"), HasSubstr("Fix:")));
}

// ---- operators ----

ISOCENTER_DEVICE_SUITE(ProjectionOperators);

Projections projections_of(const Setting& s, const std::vector<float>& values) {
  Projections p = Projections::describe(s.views, s.rows, s.columns);
  set_views(p, views_of_setting(s), s.beam, s.detector);
  p.set_numbers("mu_water_per_mm", std::vector<double>{0.02});
  context().allocate(p);
  std::copy(values.begin(), values.end(), p.views().span<float>().begin());
  return p;
}

Volume volume_for(const Setting& s, const std::vector<float>& values, const char* unit) {
  return Volume::own(values, s.nx, s.ny, s.nz,
                     Geometry::centred(s.nx, s.ny, s.nz, {s.voxel_mm[0], s.voxel_mm[1], s.voxel_mm[2]}), unit);
}

Projections forward(const SessionOptions& options, const Volume& volume, const Projections& geometry) {
  Pipeline pipeline(context());
  const auto a = pipeline.add_input("volume", volume);
  const auto b = pipeline.add_input("geometry", geometry);
  const auto node = pipeline.add<ForwardProjection>("project");
  pipeline.connect(a, node.input);
  pipeline.connect(b, node.geometry);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare(options);
  session.start();
  session.push("volume", volume);
  session.push("geometry", geometry);
  auto item = session.pull("out");
  if (!item) session.wait();
  return context().copy_to(*item, "cpu");
}

TEST_P(ProjectionOperators, AreThePairThatTheyAreNamedFor) {
  for (const Setting& s : {settings[0], settings[5], settings[9]}) {
    const TestProjector p(s);
    const std::vector<float> x = noise(p.voxels(), 7), y = noise(p.rays(), 8);
    const Projections in = projections_of(s, y);
    const Projections ax = forward(options(), volume_for(s, x, "1/mm"), in);
    EXPECT_EQ(views_of(ax).size(), static_cast<std::size_t>(s.views));
    const Volume aty = isocenter::apply<BackProjection>(
        context(), {.nx = s.nx, .ny = s.ny, .nz = s.nz, .spacing_mm = {s.voxel_mm[0], s.voxel_mm[1], s.voxel_mm[2]}},
        in, options());
    const auto a = ax.views().span<float>();
    const std::vector<float> ax_values(a.begin(), a.end());
    const auto b = aty.values();
    const std::vector<float> aty_values(b.begin(), b.end());
    EXPECT_LT(relative_difference(ax_values, p.forward(x, launcher_with(1))), 1e-5) << s.name;
    EXPECT_LT(relative_difference(aty_values, p.back(y, launcher_with(1))), 1e-5) << s.name;
  }
}

TEST_P(ProjectionOperators, TakeHounsfieldUnits) {
  const Setting s = settings[0];
  const TestProjector p(s);
  std::vector<float> mu(p.voxels()), hu;
  for (std::size_t i = 0; i < mu.size(); ++i) mu[i] = 0.02F + 0.001F * static_cast<float>(i % 7);
  for (const float m : mu) hu.push_back(1000.0F * (m / 0.02F - 1.0F));
  const Projections in = projections_of(s, std::vector<float>(p.rays()));
  const Projections ax = forward(options(), volume_for(s, hu, "HU"), in);
  const auto a = ax.views().span<float>();
  EXPECT_LT(relative_difference({a.begin(), a.end()}, p.forward(mu, launcher_with(1))), 1e-5);
}

TEST_P(ProjectionOperators, SayWhatIsWrong) {
  const Setting s = settings[0];
  const TestProjector p(s);
  const Volume volume = volume_for(s, std::vector<float>(p.voxels()), "HU");
  Projections in = projections_of(s, std::vector<float>(p.rays()));
  in.set_numbers("mu_water_per_mm", {});
  EXPECT_THAT(error_of([&] { forward(options(), volume, in); }),
              AllOf(HasSubstr("mu_water_per_mm"), HasSubstr("'project'"), HasSubstr("Fix:")));
  in.set_numbers("acquisition.views", {});
  EXPECT_THAT(error_of([&] { forward(options(), volume_for(s, std::vector<float>(p.voxels()), "1/mm"), in); }),
              AllOf(HasSubstr("acquisition.views"), HasSubstr("Fix:")));
  const Projections good = projections_of(s, std::vector<float>(p.rays()));
  EXPECT_THAT(error_of([&] {
                isocenter::apply<BackProjection>(context(), {.spacing_mm = {1, 2}}, good, options());
              }),
              AllOf(HasSubstr("spacing_mm has 2 numbers"), HasSubstr("Fix:")));
}

}  // namespace
}  // namespace isocenter::testing
