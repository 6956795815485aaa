// The breathing signal from the projections of the breathing thorax, against the breath that made them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/amsterdam_shroud.hpp>
#include <isocenter/recon/phase_sort.hpp>
#include <limits>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PhantomProjections::Params thorax(double period_s) {
  PhantomProjections::Params p;
  p.phantom = PhantomKind::moving_thorax;
  p.breathing_period_s = period_s;
  p.views = 360;
  p.columns = 128;
  p.rows = 96;
  p.column_step_mm = 5;
  p.row_step_mm = 4;
  p.detector_offset_v_mm = -90;
  p.seconds = 60;
  return p;
}

Projections scan_of(const PhantomProjections::Params& params) {
  Pipeline pipeline(context());
  const auto source = pipeline.add<PhantomProjections>("scan", params);
  pipeline.add_output("out", source.output);
  Session session = pipeline.prepare();
  session.start();
  return Projections(context().copy_to(*session.pull("out"), "cpu"));
}

/// The signal of a scan, and what phase_sort makes of it.
struct Found {
  std::vector<double> phases, truth;
};

Found phases_of(const Projections& scan, double period_s, const AmsterdamShroud::Params& params) {
  Pipeline pipeline(context());
  const auto in = pipeline.add_input("in", scan);
  const auto shroud = pipeline.add<AmsterdamShroud>("shroud", params);
  pipeline.connect(in, shroud.input);
  pipeline.add_output("signal", shroud.signal);
  Session session = pipeline.prepare();
  session.start();
  session.push("in", scan);
  session.end_input("in");
  const auto out = session.pull("signal");
  if (!out) session.wait();
  std::vector<double> signal;
  for (const float v : Volume(*out).values()) signal.push_back(static_cast<double>(v));
  Projections with = scan;
  with.set_numbers("motion.signal", signal);
  const Payload result = apply<PhaseSort>(context(), {.phases = 10}, with);
  Found found;
  for (const View& v : views_of(result)) {
    found.phases.push_back(v.phase);
    const double cycles = v.time_s / period_s;
    found.truth.push_back(cycles - std::floor(cycles));
  }
  return found;
}

/// Root mean square of the phases' errors, in cycles, and the largest.
std::pair<double, double> errors(const Found& f) {
  double sum = 0.0, largest = 0.0;
  for (std::size_t n = 0; n < f.phases.size(); ++n) {
    const double e = std::remainder(f.phases[n] - f.truth[n], 1.0);
    sum += e * e;
    largest = std::max(largest, std::fabs(e));
  }
  return {std::sqrt(sum / static_cast<double>(f.phases.size())), largest};
}

TEST(AmsterdamShroudOperator, FindsThePhaseOfTheBreathingThorax) {
  struct Case {
    std::int64_t patient;
    double period_s, photons, rms;
  };
  // Reached: 0.039, 0.042 and, with photon noise, 0.018 of a cycle; the views are 0.04, 0.05 and 0.03 of it apart.
  for (const Case& c : {Case{0, 4.0, 0, 0.05}, {2, 3.1, 0, 0.055}, {0, 5.3, 2e4, 0.03}}) {
    auto p = thorax(c.period_s);
    p.seed = c.patient;
    p.photons = c.photons;
    const auto [rms, largest] = errors(phases_of(scan_of(p), c.period_s, {}));
    EXPECT_LT(rms, c.rms) << "patient " << c.patient << ", period " << c.period_s;
    EXPECT_LT(largest, 0.15) << "patient " << c.patient << ", period " << c.period_s;
  }
}

TEST(AmsterdamShroudOperator, ItsFileIsWhatPhaseSortTakes) {
  auto p = thorax(5);
  p.columns = 64;
  p.column_step_mm = 10;
  const Projections scan = scan_of(p);
  const std::string path = (std::filesystem::temp_directory_path() / "isocenter_amsterdam_shroud_test.txt").string();
  const Found direct = phases_of(scan, 5, {.signal_file = path});
  const Payload sorted =
      apply<PhaseSort>(context(), {.phases = 10, .source = PhaseSource::file, .signal_file = path}, scan);
  const auto views = views_of(sorted);
  for (std::size_t n = 0; n < views.size(); ++n) EXPECT_NEAR(views[n].phase, direct.phases[n], 0.05) << n;
  std::ofstream(path) << "1 2 three";
  const auto refused = [&](const std::string& file) {
    return error_of([&] { apply<PhaseSort>(context(), {.source = PhaseSource::file, .signal_file = file}, scan); });
  };
  EXPECT_THAT(refused(path), AllOf(HasSubstr("line 1 has 'three' where a number is needed"), HasSubstr("Fix:")));
  std::ofstream(path) << "1 2";
  EXPECT_THAT(refused(path), AllOf(HasSubstr("has 2 numbers for 360 views"), HasSubstr("Fix:")));
  std::filesystem::remove(path);
  EXPECT_THAT(refused(path), AllOf(HasSubstr("cannot be read"), HasSubstr("Fix:")));
  EXPECT_THAT(refused(""), HasSubstr("signal_file is empty"));
}

TEST(AmsterdamShroudOperator, SaysWhatIsWrong) {
  CircularOrbit orbit{.views = 60, .columns = 12, .rows = 10};
  std::vector<float> readings(60 * 10 * 12, 1.0F);
  Projections p = Projections::describe(60, 10, 12);
  p.set_tensor("views", tensor(DType::float32, "nvu", {60, 10, 12}, readings.data()));
  set_views(p, orbit.build());
  const auto message = [&](const Projections& scan, const AmsterdamShroud::Params& params) {
    return error_of([&] { phases_of(scan, 4, params); });
  };
  EXPECT_THAT(message(p, {}), AllOf(HasSubstr("no two exhalations"), HasSubstr("Fix:")));
  EXPECT_THAT(message(p, {.longest_period_s = 90}), AllOf(HasSubstr("the scan takes 59 s"), HasSubstr("Fix:")));
  readings[static_cast<std::size_t>((23 * 10 + 4) * 12 + 3)] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message(p, {}), AllOf(HasSubstr("view 23 has readings that are no numbers"), HasSubstr("Fix:")));
  readings[static_cast<std::size_t>((23 * 10 + 4) * 12 + 3)] = 1.0F;
  EXPECT_THAT(message(p, {.signal_file = "no/such/folder/signal.txt"}), HasSubstr("Fix:"));
  auto views = orbit.build();
  std::swap(views[4].time_s, views[5].time_s);
  set_views(p, views);
  EXPECT_THAT(message(p, {}), HasSubstr("view 5 was not taken after"));
  views = orbit.build();
  for (View& v : views) std::swap(v.u_step_mm, v.v_step_mm);
  set_views(p, views);
  EXPECT_THAT(message(p, {}), AllOf(HasSubstr("do not step along the patient's z axis")));
}

}  // namespace
}  // namespace isocenter::testing
