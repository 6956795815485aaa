// The operators in pipelines: what they give, on every device, and every message.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/phase_sort.hpp>
#include <new>

#include "device_test.hpp"
#include "phantom/poisson.hpp"
#include "recon/motion_phase.hpp"

namespace {
std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
}  // namespace

// Every allocation of the program passes here, in whatever thread.
__attribute__((noinline)) void* operator new(std::size_t n) {
  if (counting) ++allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ISOCENTER_DEVICE_SUITE(Fdk);

/// A payload of projections in memory, all of one value.
Projections projections_of(const CircularOrbit& orbit, float value = 0.0F) {
  Projections p = Projections::describe(orbit.views, orbit.rows, orbit.columns);
  set_views(p, orbit.build(), Beam::cone);
  context().allocate(p);
  for (float& v : p.views().span<float>()) v = value;
  return p;
}

constexpr CircularOrbit small_orbit{.views = 90, .columns = 32, .rows = 24, .column_step_mm = 10, .row_step_mm = 10};

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

TEST_P(Fdk, OfOneScanAfterAnotherAllocatesNothing) {
  Pipeline pipeline(context());
  const Projections scan = projections_of(small_orbit, 1.0F);
  const auto in = pipeline.add_input("in", scan);
  const auto sort = pipeline.add<PhaseSort>("sort", {.phases = 3, .source = PhaseSource::period, .period_s = 2});
  const auto fdk = pipeline.add<FdkReconstruction>("fdk", {.unit = AttenuationUnit::per_mm});
  pipeline.connect(in, sort.input);
  pipeline.connect(sort.output, fdk.input);
  pipeline.add_output("out", fdk.output);
  Session session = pipeline.prepare(options());
  session.start();
  const auto frame = [&] {
    session.push("in", scan);
    (void)session.pull("out");
  };
  for (int i = 0; i < 10; ++i) frame();  // threads and oneTBB's own pools are made here
  allocations = 0;
  counting = true;
  for (int i = 0; i < 20; ++i) frame();
  counting = false;
  EXPECT_EQ(allocations, 0);
}

TEST_P(Fdk, FilteredBackProjectionOfOneScanAfterAnotherAllocatesNothing) {
  for (const bool stacked : {false, true}) {
    CircularOrbit orbit{.views = 90, .columns = 32, .rows = stacked ? 19 : 1, .column_step_mm = 10, .row_step_mm = 10};
    const Projections scan = projections_of(orbit, 1.0F);
    Pipeline pipeline(context());
    const auto in = pipeline.add_input("in", scan);
    const auto fbp = pipeline.add<FbpReconstruction>("fbp", {.unit = AttenuationUnit::per_mm, .stacked_fans = stacked});
    pipeline.connect(in, fbp.input);
    pipeline.add_output("out", fbp.output);
    Session session = pipeline.prepare(options());
    session.start();
    const auto frame = [&] {
      session.push("in", scan);
      (void)session.pull("out");
    };
    for (int i = 0; i < 10; ++i) frame();
    allocations = 0;
    counting = true;
    for (int i = 0; i < 20; ++i) frame();
    counting = false;
    EXPECT_EQ(allocations, 0);
  }
}

TEST_P(Fdk, ProjectorsAndIterationsOfOneScanAfterAnotherAllocateNothing) {
  for (const int rows : {1, 9}) {
    CircularOrbit orbit{.views = 30, .columns = 24, .rows = rows, .column_step_mm = 10, .row_step_mm = 10};
    const Projections scan = projections_of(orbit, 1.0F);
    const auto allocates_nothing = [&](const char* op, const std::vector<std::pair<const char*, const char*>>& set) {
      Pipeline pipeline(context());
      pipeline.add_input("in", scan);
      pipeline.add("node", op);
      for (const auto& [key, value] : set) pipeline.set("node", key, value);
      pipeline.connect("in", "output", "node", "input");
      pipeline.add_output("out", "node", "output");
      Session session = pipeline.prepare(options());
      session.start();
      const auto frame = [&] {
        session.push("in", scan);
        ASSERT_TRUE(session.pull("out")) << op;
      };
      for (int i = 0; i < 6; ++i) frame();
      allocations = 0;
      counting = true;
      for (int i = 0; i < 5; ++i) frame();
      counting = false;
      EXPECT_EQ(allocations, 0) << op << ", " << rows << " rows";
    };
    allocates_nothing("back_projection", {});
    allocates_nothing("back_projection", {{"back_projector", "voxel_driven"}});
    for (const char* subsets : {"1", "5", "30"})
      allocates_nothing("os_sart_reconstruction", {{"unit", "1/mm"}, {"iterations", "3"}, {"subsets", subsets}});
    allocates_nothing("os_sart_reconstruction",
                      {{"unit", "1/mm"}, {"iterations", "3"}, {"subsets", "5"}, {"back_projector", "voxel_driven"}});
    allocates_nothing("osem_reconstruction", {{"unit", "1/mm"}, {"iterations", "3"}, {"subsets", "5"}});
    allocates_nothing("osem_reconstruction", {{"data", "emission"}, {"iterations", "3"}});
    allocates_nothing("cgls_reconstruction", {{"unit", "1/mm"}, {"iterations", "3"}});
    allocates_nothing("tv_reconstruction", {{"unit", "1/mm"}, {"iterations", "3"}});
  }
}

TEST(PhantomSources, AllocateNothingAfterTheFirstItems) {
  Pipeline pipeline(context());
  const auto raw = pipeline.add<PhantomProjections>("raw", {.phantom = PhantomKind::moving_thorax,
                                                            .views = 4,
                                                            .columns = 20,
                                                            .rows = 20,
                                                            .column_step_mm = 28,
                                                            .row_step_mm = 28,
                                                            .photons = 1000,
                                                            .count = 40});
  const auto voxels = pipeline.add<PhantomVolume>(
      "voxels",
      {.phantom = PhantomKind::moving_thorax, .seed = 1, .nx = 20, .ny = 20, .nz = 20, .samples = 2, .count = 40});
  pipeline.add_output("raw_out", raw.output);
  pipeline.add_output("voxels_out", voxels.output);
  pipeline.add_output("labels_out", voxels.labels);
  Session session = pipeline.prepare();
  session.start();
  const auto frame = [&] {
    for (const char* port : {"raw_out", "voxels_out", "labels_out"}) (void)session.pull(port);
  };
  for (int i = 0; i < 12; ++i) frame();
  allocations = 0;
  counting = true;
  for (int i = 0; i < 20; ++i) frame();
  counting = false;
  EXPECT_EQ(allocations, 0);
  session.cancel();
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
              AllOf(HasSubstr("view 3"), HasSubstr("right angles")));
  EXPECT_THAT(refusal_of_views([](auto& v) { v[8].detector_origin_mm[0] = std::nan(""); }),
              AllOf(HasSubstr("view 8"), HasSubstr("not a number")));
  EXPECT_THAT(refusal_of_views([](auto& v) {
                for (std::size_t k = 0; k < 3; ++k) v[5].detector_origin_mm[k] += 3 * v[5].source_mm[k];
              }),
              AllOf(HasSubstr("view 5"), HasSubstr("wrong side of the source")));
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

std::vector<double> phases_after(const Projections& p, const PhaseSort::Params& params) {
  std::vector<double> phases;
  const Payload sorted = apply<PhaseSort>(context(), params, p);
  for (const View& v : views_of(sorted)) phases.push_back(v.phase);
  return phases;
}

TEST(PhaseSortOperator, TakesPhasesFromAKnownPeriod) {
  const auto phases = phases_after(projections_of(small_orbit, 3.0F),
                                   {.phases = 8, .source = PhaseSource::period, .period_s = 5, .start_s = 1});
  const auto views = small_orbit.build();
  for (std::size_t n = 0; n < phases.size(); ++n) {
    const double cycles = (views[n].time_s - 1) / 5;
    EXPECT_NEAR(phases[n], cycles - std::floor(cycles), 1e-12) << n;
  }
}

TEST(PhaseSortOperator, FindsTheCyclesOfASignalWhosePeriodWanders) {
  CircularOrbit orbit = small_orbit;
  orbit.views = 600;
  Projections p = projections_of(orbit, 2.0F);
  // Cycles of 3, 4, 5 s and again; the truth is the phase that made the signal.
  std::vector<double> signal, truth;
  for (const View& v : views_of(p)) {
    double t = std::fmod(v.time_s, 12.0), phase = t < 3 ? t / 3 : t < 7 ? (t - 3) / 4 : (t - 7) / 5;
    truth.push_back(phase);
    signal.push_back(7 - 2 * std::cos(2 * std::numbers::pi * phase));
  }
  p.set_numbers("motion.signal", signal);
  const Payload sorted = apply<PhaseSort>(context(), {.phases = 10}, p);
  const auto views = views_of(sorted);
  for (std::size_t n = 0; n < views.size(); ++n) {
    if (views[n].time_s > 55) break;  // the last cycle is cut off, so that its length is not known
    double difference = std::fabs(views[n].phase - truth[n]);
    difference = std::min(difference, 1 - difference);
    EXPECT_LT(difference, 0.04) << views[n].time_s;
  }
  EXPECT_EQ(sorted.numbers("acquisition.phases")[0], 10);
  EXPECT_NEAR(sorted.numbers("acquisition.period_s")[0], 4, 0.3);
  EXPECT_FLOAT_EQ(Projections(sorted).views().span<float>()[12345], 2.0F) << "the data went through";
}

TEST(PhaseSortOperator, SaysWhatIsWrong) {
  const auto message = [](const Projections& p, const PhaseSort::Params& params) {
    return error_of([&] { apply<PhaseSort>(context(), params, p); });
  };
  Projections p = projections_of(small_orbit);
  EXPECT_THAT(message(p, {}),
              AllOf(HasSubstr("phase_sort"), HasSubstr("no attribute motion.signal"), HasSubstr("Fix:")));
  EXPECT_THAT(message(p, {.source = PhaseSource::period}), HasSubstr("period_s = 0"));
  p.set_numbers("motion.signal", std::vector<double>(7, 1.0));
  EXPECT_THAT(message(p, {}), AllOf(HasSubstr("7 numbers"), HasSubstr("90 views")));
  p.set_numbers("motion.signal", std::vector<double>(90, 1.0));
  EXPECT_THAT(message(p, {}), HasSubstr("no full cycle"));
  std::vector<double> broken(90, 1.0);
  broken[31] = std::nan("");
  p.set_numbers("motion.signal", broken);
  EXPECT_THAT(message(p, {}), HasSubstr("not a number at view 31"));
  p.set_numbers("motion.signal", std::vector<double>(90, 1.0));
  auto views = small_orbit.build();
  views[7].time_s = std::nan("");
  set_views(p, views);
  EXPECT_THAT(message(p, {}), AllOf(HasSubstr("view 7"), HasSubstr("no time stamp")));
  views = small_orbit.build();
  std::swap(views[4].time_s, views[5].time_s);
  set_views(p, views);
  EXPECT_THAT(message(p, {}), HasSubstr("view 5 was taken before"));
  p.set_numbers("acquisition.views", {});
  EXPECT_THAT(message(p, {}), HasSubstr("no attribute acquisition.views"));
}

/// The report's text of comparing two volumes.
std::string comparison(const Volume& input, const Volume& truth, const CompareVolumes::Params& params) {
  Pipeline pipeline(context());
  const auto a = pipeline.add_input("a", input), b = pipeline.add_input("b", truth);
  const auto compare = pipeline.add<CompareVolumes>("error", params);
  pipeline.connect(a, compare.input);
  pipeline.connect(b, compare.truth);
  Session session = pipeline.prepare();
  session.start();
  session.push("a", input);
  session.push("b", truth);
  session.end_input("a");
  session.end_input("b");
  session.wait();
  return session.report();
}

Volume volume_of(const std::vector<float>& values, std::int64_t nx, std::int64_t ny, std::int64_t nz,
                 const char* unit) {
  return Volume::own(values, nx, ny, nz, Geometry::centred(nx, ny, nz, {1, 1, 1}), unit);
}

TEST(CompareVolumesOperator, GivesTheFiguresOfItsDescription) {
  // Truth 0 and 4 in two halves, input 1 above it everywhere but for one voxel that is 3 above.
  std::vector<float> truth(64, 0.0F), input;
  for (std::size_t i = 32; i < 64; ++i) truth[i] = 4.0F;
  for (const float t : truth) input.push_back(t + 1.0F);
  input[40] += 2.0F;
  const std::string report = comparison(volume_of(input, 4, 4, 4, "1/mm"), volume_of(truth, 4, 4, 4, "1/mm"), {});
  const double rmse = std::sqrt((63.0 + 9.0) / 64);
  const auto value = [&](const char* metric) {
    const auto at = report.find(std::string("\"") + metric + "\"");
    const auto digits = report.find_first_of("-0123456789", report.find("[", at));
    return std::stod(report.substr(digits));
  };
  EXPECT_NEAR(value("rmse"), rmse, 1e-6) << report;
  EXPECT_NEAR(value("mean_error"), 66.0 / 64, 1e-6);
  EXPECT_NEAR(value("largest_error"), 3.0, 1e-6);
  EXPECT_NEAR(value("relative_error"), std::sqrt(72.0 / (32 * 16)), 1e-6);
  EXPECT_NEAR(value("psnr_db"), 20 * std::log10(4 / rmse), 1e-5);
}

TEST(CompareVolumesOperator, GivesTheStructuralSimilarityThatScikitImageGives) {
  // scikit-image 0.26.0: structural_similarity(..., gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
  // data_range=the region's, full=True) of each slice, its map's mean over the region.
  std::vector<float> truth, input;
  for (int z = 0; z < 3; ++z)
    for (int y = 0; y < 26; ++y)
      for (int x = 0; x < 28; ++x) {
        const float t = static_cast<float>(2 + std::sin(0.9 * x + 0.2 * y * y + z) + (x > 13 ? 1 : 0));
        truth.push_back(t);
        input.push_back(static_cast<float>(0.9 * static_cast<double>(t) + 0.4 * std::cos(1.7 * x - 0.6 * y + 2 * z)));
      }
  const auto similarity = [&](double add, const char* unit, const CompareVolumes::Params& params) {
    std::vector<float> a = input, b = truth;
    for (float& v : a) v += static_cast<float>(add);
    for (float& v : b) v += static_cast<float>(add);
    const std::string report = comparison(volume_of(a, 28, 26, 3, unit), volume_of(b, 28, 26, 3, unit), params);
    return std::stod(report.substr(report.find('[', report.find("\"ssim\"")) + 1));
  };
  EXPECT_NEAR(similarity(0, "1/mm", {.radius_mm = 7}), 0.911864626, 1e-6);
  EXPECT_NEAR(similarity(-1000, "HU", {.radius_mm = 7}), 0.911864626, 1e-4) << "counted from air";
  EXPECT_LT(similarity(0, "1/mm", {}), 1.0) << "windows at the border";
  const Volume same = volume_of(truth, 28, 26, 3, "1/mm"), flat = volume_of(std::vector<float>(64, 2), 4, 4, 4, "1/mm");
  EXPECT_THAT(comparison(same, same, {}), HasSubstr("\"ssim\":{\"unit\":\"1\",\"values\":[1]}"));
  EXPECT_THAT(comparison(flat, flat, {}), HasSubstr("\"ssim\":{\"unit\":\"1\",\"values\":[1]}"));
}

TEST(CompareVolumesOperator, SaysWhatIsWrong) {
  const Volume a = volume_of(std::vector<float>(64), 4, 4, 4, "HU"),
               b = volume_of(std::vector<float>(32), 4, 4, 2, "HU"),
               c = volume_of(std::vector<float>(64), 4, 4, 4, "1/mm");
  Volume d = volume_of(std::vector<float>(64), 4, 4, 4, "HU");
  d.set_geometry(Geometry::centred(4, 4, 4, {1, 1, 2}));
  Volume e = volume_of(std::vector<float>(64), 4, 4, 4, "HU");
  Geometry turned = Geometry::centred(4, 4, 4, {1, 1, 1});
  turned.direction[0] = turned.direction[4] = -1;
  e.set_geometry(turned);
  const auto message = [](const Volume& x, const Volume& y, const CompareVolumes::Params& params) {
    return error_of([&] { comparison(x, y, params); });
  };
  EXPECT_THAT(message(a, b, {}), AllOf(HasSubstr("4 x 4 x 4"), HasSubstr("4 x 4 x 2"), HasSubstr("Fix:")));
  EXPECT_THAT(message(a, c, {}), AllOf(HasSubstr("'HU'"), HasSubstr("'1/mm'")));
  EXPECT_THAT(message(a, d, {}), HasSubstr("different spacing"));
  EXPECT_THAT(message(a, e, {}), HasSubstr("different directions"));
  EXPECT_THAT(message(a, a, {.radius_mm = 1, .centre_mm = {99, 0, 0}}), HasSubstr("no voxel lies in the region"));
  EXPECT_THAT(message(a, a, {.centre_mm = {1, 2}}), HasSubstr("centre_mm has 2 numbers"));
}

}  // namespace
}  // namespace isocenter::testing
