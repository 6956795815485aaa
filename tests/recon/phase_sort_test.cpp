// Views sorted into the phases of a motion.
#include <gmock/gmock.h>

#include <isocenter/recon/phase_sort.hpp>

#include "device_test.hpp"
#include "projections_of.hpp"
#include "recon/motion_phase.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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
  Projections at_once = projections_of(small_orbit);
  auto timeless = small_orbit.build();
  for (View& v : timeless) v.time_s = 3.5;
  set_views(at_once, timeless);
  EXPECT_THAT(message(at_once, {.source = PhaseSource::period, .period_s = 4}),
              HasSubstr("all 90 views have the time 3.5 s"));
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

}  // namespace
}  // namespace isocenter::testing
