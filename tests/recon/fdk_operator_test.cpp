// FDK in pipelines: what it gives, on every device, and every message.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/phase_sort.hpp>

#include "device_test.hpp"
#include "phantom/poisson.hpp"
#include "projections_of.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(Fdk);

TEST_P(Fdk, OfAWaterCylinderIsWaterInHounsfieldUnits) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", {.phantom = PhantomKind::water_cylinder,
                                                            .radius_mm = 60,
                                                            .height_mm = 600,
                                                            .views = 120,
                                                            .columns = 64,
                                                            .rows = 24,
                                                            .column_step_mm = 4,
                                                            .row_step_mm = 4});
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.window = FdkWindow::hann});
  pipeline.connect(raw.output, fdk.input);
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options());
  session.start();
  const auto item = session.pull("out");
  session.wait();
  ASSERT_TRUE(item);
  const Volume v(context().copy_to(*item, "cpu"));
  EXPECT_EQ(v.unit(), "HU");
  EXPECT_EQ(v.nx(), 64);
  EXPECT_EQ(v.nz(), 24);
  EXPECT_NEAR(v.geometry().spacing_mm[0], 4 / 1.5, 1e-9);
  double sum = 0.0;
  for (int y = 22; y < 42; ++y)
    for (int x = 22; x < 42; ++x) sum += v.values()[static_cast<std::size_t>((12 * 64 + y) * 64 + x)];
  EXPECT_NEAR(sum / 400, 0.0, 2.0);
}

TEST_P(Fdk, GivesTheCpusVolumeOnEveryDevice) {
  // Noise in all elements; detector columns along z, and tilted out of it so that no tuned back projection applies.
  for (const double tilt_rad : {0.0, 0.4}) {
    CircularOrbit orbit{.views = 75, .columns = 45, .rows = 39, .column_step_mm = 7, .row_step_mm = 6};
    orbit.detector_offset_v_mm = 4;
    Projections p = Projections::describe(orbit.views, orbit.rows, orbit.columns);
    auto views = orbit.build();
    const double c = std::cos(tilt_rad), s = std::sin(tilt_rad);
    for (View& v : views)
      for (auto* vector : {&v.source_mm, &v.detector_origin_mm, &v.u_step_mm, &v.v_step_mm})
        *vector = {(*vector)[0], c * (*vector)[1] - s * (*vector)[2], s * (*vector)[1] + c * (*vector)[2]};
    set_views(p, views);
    context().allocate(p);
    detail::Philox random(12, 0);
    for (float& v : p.views().span<float>()) v = static_cast<float>(random.uniform(0, 5));
    const FdkReconstruction::Params params{
        .nx = 37, .ny = 41, .nz = 35, .spacing_mm = {4}, .window = FdkWindow::cosine, .unit = AttenuationUnit::per_mm};
    const Volume device(apply<FdkReconstruction>(context(), params, p, options()));
    const Volume cpu(apply<FdkReconstruction>(context(), params, p));
    double difference = 0.0, norm = 0.0;
    for (std::size_t i = 0; i < cpu.values().size(); ++i) {
      difference += std::pow(static_cast<double>(device.values()[i]) - cpu.values()[i], 2);
      norm += std::pow(static_cast<double>(cpu.values()[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 2e-5) << "tilted by " << tilt_rad;
  }
}

TEST_P(Fdk, OfABreathingChestGivesAFrameForEachPhaseAndItsErrorInTheReport) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", {.phantom = PhantomKind::moving_thorax,
                                                            .breathing_period_s = 5,
                                                            .views = 240,
                                                            .columns = 40,
                                                            .rows = 30,
                                                            .column_step_mm = 14,
                                                            .row_step_mm = 14,
                                                            .seconds = 100,
                                                            .photons = 1e6});
  const auto sort = pipeline.add<PhaseSort>("sort", {.phases = 4});
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.nx = 40, .ny = 32, .nz = 24, .spacing_mm = {9.5}});
  const auto truth = pipeline.add<PhantomVolume>("truth", {.phantom = PhantomKind::moving_thorax,
                                                           .breathing_period_s = 5,
                                                           .nx = 40,
                                                           .ny = 32,
                                                           .nz = 24,
                                                           .spacing_mm = {9.5},
                                                           .samples = 3,
                                                           .frames = 4});
  const auto compare = pipeline.add<CompareVolumes>("error", {.radius_mm = 150, .half_height_mm = 80});
  pipeline.connect(raw.output, sort.input);
  pipeline.connect(sort.output, fdk.input);
  pipeline.connect(fdk.output, compare.input);
  pipeline.connect(truth.output, compare.truth);
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options());
  session.start();
  const auto item = session.pull("out");
  ASSERT_TRUE(item);
  const Volume v(*item);
  EXPECT_EQ(v.nt(), 4);
  EXPECT_NEAR(v.geometry().time_step_s, 5.0 / 4, 0.02);
  while (session.pull("out")) {
  }
  session.wait();
  EXPECT_THAT(session.report(), AllOf(HasSubstr("\"rmse\""), HasSubstr("\"psnr_db\""), HasSubstr("phase_sort.cycles")));
}

TEST_P(Fdk, RefusesAnItemWhoseGeometryIsNotThePlannedOne) {
  Pipeline pipeline(context());
  const Projections planned = projections_of(small_orbit);
  const auto in = pipeline.add_input("in", planned);
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.unit = AttenuationUnit::per_mm});
  pipeline.connect(in, fdk.input);
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options());
  CircularOrbit other = small_orbit;
  other.source_to_isocenter_mm = 900;
  session.start();
  session.push("in", projections_of(other));
  session.end_input("in");
  EXPECT_FALSE(session.pull("out"));
  EXPECT_THAT(error_of([&] { session.wait(); }), AllOf(HasSubstr("fdk_reconstruction 'fdk'"), HasSubstr("differ")));
}

/// The message of planning FDK on these projections.
std::string refusal(const Projections& p, const FdkReconstruction::Params& params = {.unit = AttenuationUnit::per_mm}) {
  return error_of([&] { apply<FdkReconstruction>(context(), params, p); });
}
std::string refusal_of_views(const std::function<void(std::vector<View>&)>& change,
                             const FdkReconstruction::Params& params = {.unit = AttenuationUnit::per_mm}) {
  Projections p = projections_of(small_orbit);
  auto views = small_orbit.build();
  change(views);
  set_views(p, views);
  return refusal(p, params);
}

TEST(FdkMessages, NameTheViewTheValueAndTheFix) {
  Projections none = projections_of(small_orbit);
  none.set_numbers("acquisition.views", {});
  EXPECT_THAT(refusal(none),
              AllOf(HasSubstr("fdk_reconstruction"), HasSubstr("no attribute acquisition.views"), HasSubstr("Fix:")));
  EXPECT_THAT(refusal_of_views([](auto& v) { v.pop_back(); }),
              AllOf(HasSubstr("90 projections"), HasSubstr("89 views")));
  EXPECT_THAT(refusal_of_views([](auto& v) { v[17].source_mm[2] += 30; }),
              AllOf(HasSubstr("view 17"), HasSubstr("mm from the circle")));
  EXPECT_THAT(refusal_of_views([](auto& v) {
                v[3].u_step_mm = {0, 0, 0};
              }),
              AllOf(HasSubstr("view 3"), HasSubstr("detector steps of 0 mm")));
  EXPECT_THAT(refusal_of_views([](auto& v) { v[3].v_step_mm = v[3].u_step_mm; }),
              AllOf(HasSubstr("view 3"), HasSubstr("columns that step along the rows")));
  EXPECT_THAT(refusal_of_views([](auto& v) { v[8].detector_origin_mm[0] = std::nan(""); }),
              AllOf(HasSubstr("view 8"), HasSubstr("not a number")));
  EXPECT_THAT(refusal_of_views([](auto& v) {
                for (std::size_t k = 0; k < 3; ++k) v[5].detector_origin_mm[k] += 3 * v[5].source_mm[k];
              }),
              AllOf(HasSubstr("view 5"), HasSubstr("on which side of the source")));
  EXPECT_THAT(refusal_of_views([](auto& v) {
                for (View& w : v) w.source_mm = {w.time_s, 0, 0};
              }),
              HasSubstr("on one line"));

  CircularOrbit half = small_orbit;
  half.arc_rad = 3.2;
  EXPECT_THAT(refusal(projections_of(half)), AllOf(HasSubstr("a short scan needs 180 deg and the fan of 11.79"),
                                                   HasSubstr("deg are missing after view 89")));
  // Two gaps are no short scan.
  EXPECT_THAT(
      refusal_of_views([](auto& v) {
        for (int n = 0; n < 90; ++n)
          v[static_cast<std::size_t>(n)] = small_orbit.view_at(n < 45 ? 0.04 * n : 3.1 + 0.04 * (n - 45));
      }),
      AllOf(HasSubstr("the scan has no view over"), HasSubstr("after view 44"), HasSubstr("largest_gap_deg = 60")));
  CircularOrbit two = small_orbit;
  two.views = 2;
  EXPECT_THAT(refusal(projections_of(two)), HasSubstr("there are 2 views"));
  Projections parallel = projections_of(small_orbit);
  set_views(parallel, small_orbit.build(), Beam::parallel);
  EXPECT_THAT(refusal(parallel), AllOf(HasSubstr("acquisition.beam is parallel"), HasSubstr("cone beam")));

  EXPECT_THAT(refusal(projections_of(small_orbit), {.spacing_mm = {80}, .unit = AttenuationUnit::per_mm}),
              AllOf(HasSubstr("behind the source of view"), HasSubstr("radius 1000 mm")));
  EXPECT_THAT(refusal(projections_of(small_orbit), {.spacing_mm = {1, 2}, .unit = AttenuationUnit::per_mm}),
              HasSubstr("spacing_mm has 2 numbers"));
  EXPECT_THAT(refusal(projections_of(small_orbit), {.unit = AttenuationUnit::hu}),
              AllOf(HasSubstr("mu_water_per_mm = 0"), HasSubstr("0.02059")));
  EXPECT_THAT(refusal(projections_of(small_orbit), {.cutoff = 0.01}), AllOf(HasSubstr("cutoff"), HasSubstr("0.05")));

  Projections unsorted = projections_of(small_orbit);
  const double phases = 6;
  unsorted.set_numbers("acquisition.phases", {&phases, 1});
  EXPECT_THAT(refusal(unsorted), AllOf(HasSubstr("view 0 has no motion phase"), HasSubstr("phase_sort")));
  auto views = small_orbit.build();
  for (View& v : views) v.phase = 0.0;
  set_views(unsorted, views);
  EXPECT_THAT(refusal(unsorted), HasSubstr("phase 1 of 6 has no view"));
}

}  // namespace
}  // namespace isocenter::testing
