// What is wrong with a scan, for every operator that takes one: one sentence with the node, the value and a fix; and
// every stage ends when its session is cancelled.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <isocenter/operator.hpp>
#include <isocenter/recon/orbits.hpp>
#include <limits>
#include <mutex>
#include <numbers>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

using Settings = std::vector<std::pair<const char*, const char*>>;

struct Stage {
  const char* name;
  Settings settings;
  bool reconstructs = false, analytic = false;
  friend std::ostream& operator<<(std::ostream& out, const Stage& s) { return out << s.name; }
};
const Stage stages[] = {
    {"line_integrals", {{"i0_counts", "1000"}}},
    {"detector_lag", {{"fractions", "0.03"}, {"rates_per_view", "0.5"}}},
    {"scatter_correction", {{"amplitude", "0.1"}, {"sigma_mm", "50"}}},
    {"beam_hardening", {{"coefficients", "1, 0.1"}}},
    {"ring_removal", {}},
    {"rotation_centre", {}},
    {"fbp_reconstruction", {{"unit", "1/mm"}}, true, true},
    {"fdk_reconstruction", {{"unit", "1/mm"}}, true, true},
    {"back_projection", {}, true},
    {"os_sart_reconstruction", {{"unit", "1/mm"}, {"iterations", "2"}}, true},
    {"osem_reconstruction", {{"unit", "1/mm"}, {"iterations", "2"}}, true},
    {"cgls_reconstruction", {{"unit", "1/mm"}, {"iterations", "2"}}, true},
    {"tv_reconstruction", {{"unit", "1/mm"}, {"iterations", "2"}}, true},
};

/// The same scan for ever, of readings without a unit.
struct EndlessScans {
  static constexpr const char* name = "endless_scans";
  static constexpr const char* module = "test";
  static constexpr const char* summary = "The same scan for ever.";
  static constexpr const char* help = "A source.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    Out<Projections> output{"output", "A scan."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};
class EndlessScansOperator : public OperatorBase<EndlessScans> {
 public:
  void plan(PlanContext& plan) override {
    const CircularOrbit orbit{.views = 60, .columns = 64, .rows = 1, .column_step_mm = 5, .row_step_mm = 5};
    PayloadRef output = plan.output("output");
    output.set_tensor("views", tensor(DType::float32, "nvu", {orbit.views, orbit.rows, orbit.columns}));
    set_views(output, orbit.build());
  }
  void run(const RunContext& run) override {
    const TensorView views = run.output("output").tensor("views");
    std::ranges::fill(views.span<float>(), 0.5F);
  }
};

class BadScan : public ::testing::TestWithParam<Stage> {
 protected:
  static CircularOrbit fan() {
    return {.views = 60, .columns = 24, .rows = 1, .column_step_mm = 10, .row_step_mm = 10};
  }
  static Projections scan_of(const CircularOrbit& o, const std::vector<View>& views, float value = 0.5F) {
    Projections p = Projections::describe(static_cast<std::int64_t>(o.views), o.rows, o.columns);
    if (!views.empty()) set_views(p, views);
    context().allocate(p);
    for (float& v : p.views().span<float>()) v = value;
    return p;
  }
  static Projections good() { return scan_of(fan(), fan().build()); }

  /// Plans for `planned`, runs on `item`; the report.
  static std::string run(const Projections& planned, const Projections& item, const Settings& more = {},
                         const SessionOptions& options = {}) {
    Pipeline p(context());
    p.add_input("scan", planned);
    p.add("node", GetParam().name);
    for (const auto& [key, value] : GetParam().settings) p.set("node", key, value);
    for (const auto& [key, value] : more) p.set("node", key, value);
    p.connect("scan", "output", "node", "input");
    p.add_output("out", "node", "output");
    Session session = p.prepare(options);
    session.start();
    session.push("scan", item);
    session.end_input("scan");
    (void)session.pull("out");
    session.wait();
    return session.report();
  }
  static std::string refusal(const Projections& scan, const Settings& more = {}, const SessionOptions& options = {}) {
    return error_of([&] { run(scan, scan, more, options); });
  }
  /// One line, with the operator, its node and a fix.
  static auto is_one_sentence() {
    return AllOf(HasSubstr(std::string(GetParam().name) + " 'node'"), HasSubstr("Fix: "), Not(HasSubstr("\n")));
  }
};

TEST_P(BadScan, AGoodOneIsTaken) { run(good(), good()); }

TEST_P(BadScan, AnotherNumberOfViewsThanProjectionsIsNamed) {
  if (!GetParam().reconstructs) return;  // works on counts or lines alone
  auto views = fan().build();
  views.pop_back();
  EXPECT_THAT(refusal(scan_of(fan(), views)),
              AllOf(is_one_sentence(), HasSubstr("60 projections"), HasSubstr("59 views")));
  EXPECT_THAT(refusal(scan_of(fan(), {})), AllOf(is_one_sentence(), HasSubstr("acquisition.views")));
  if (std::string(GetParam().name) == "fdk_reconstruction") return;  // takes blocks
  CircularOrbit block = fan();
  block.views = 20;
  Projections third = scan_of(block, fan().build());
  set_view_blocks(third, 3);
  EXPECT_THAT(refusal(third), AllOf(is_one_sentence(), HasSubstr("comes in 3 blocks")));
}

TEST_P(BadScan, MirroredDetectorsAndAnotherUnitOfLengthAreNamedWithTheirView) {
  if (!GetParam().reconstructs) return;
  auto mirrored = fan().build();
  for (std::size_t n = 1; n < mirrored.size(); n += 2) {
    View& v = mirrored[n];
    v.detector_origin_mm = v.element_mm(fan().columns - 1, 0);
    v.u_step_mm = detail::times(-1, v.u_step_mm);
  }
  EXPECT_THAT(refusal(scan_of(fan(), mirrored)),
              AllOf(is_one_sentence(), HasSubstr("view 1 has a detector that is mirrored against view 0")));
  CircularOrbit micrometres = fan();
  micrometres.source_to_isocenter_mm *= 1000;
  micrometres.source_to_detector_mm *= 1000;
  EXPECT_THAT(refusal(scan_of(micrometres, micrometres.build())),
              AllOf(is_one_sentence(), HasSubstr("view 0 has its source"), HasSubstr("give lengths in mm")));
}

TEST_P(BadScan, ADetectorBeforeTheVolumeIsNamedWithItsView) {
  if (!GetParam().reconstructs) return;
  CircularOrbit o = fan();
  o.source_to_detector_mm = 700;
  EXPECT_THAT(refusal(scan_of(o, o.build())), AllOf(is_one_sentence(), HasSubstr("view 0"),
                                                    HasSubstr("700 mm from the source"), HasSubstr("before the")));
  o.source_to_detector_mm = 1000;  // a virtual one at the isocentre
  o.column_step_mm = o.row_step_mm = 7;
  run(scan_of(o, o.build()), scan_of(o, o.build()));
}

TEST_P(BadScan, CountsAreNotTakenForLineIntegralsNorTheseForCounts) {
  const std::string name = GetParam().name;
  const bool takes_counts = name == "line_integrals" || name == "detector_lag";
  Projections p = good();
  for (const char* unit : {"", "a.u.", takes_counts ? "counts" : "1"}) {
    p.set_text("unit", unit);
    run(p, p);
  }
  p.set_text("unit", takes_counts ? "1" : "counts");
  if (name == "back_projection") {  // of whatever it gets
    run(p, p);
  } else {
    EXPECT_THAT(refusal(p), AllOf(is_one_sentence(), HasSubstr("input 'input' has the unit"),
                                  HasSubstr(takes_counts ? "give them the unit counts where they are read"
                                                         : "put line_integrals before this node")));
  }
}

TEST_P(BadScan, AnItemOfAnotherSizeThanPlannedIsRefused) {
  CircularOrbit other = fan();
  other.columns = 23;
  const std::string message = error_of([&] { run(good(), scan_of(other, other.build())); });
  EXPECT_THAT(message, AllOf(HasSubstr("23"), HasSubstr("24"), HasSubstr("Fix: "), Not(HasSubstr("\n"))));
}

TEST_P(BadScan, AReadingThatIsNoNumberIsNamedWithItsPlace) {
  const std::string name = GetParam().name;
  if ((!GetParam().reconstructs && name != "ring_removal") || name == "back_projection") return;  // passes it on
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Projections p = good();
    p.views().span<float>()[24 * 17 + 5] = bad;
    EXPECT_THAT(refusal(p), AllOf(is_one_sentence(), HasSubstr("view 17"), HasSubstr("column 5")));
  }
}

TEST_P(BadScan, NoViewsAndOneView) {
  CircularOrbit one = fan();
  one.views = 1;
  const Projections single = scan_of(one, one.build());
  if (GetParam().analytic) {
    EXPECT_THAT(refusal(single), AllOf(is_one_sentence(), HasSubstr("1 view")));
  } else if (std::string(GetParam().name) == "rotation_centre" || std::string(GetParam().name) == "ring_removal") {
    EXPECT_THAT(refusal(single), is_one_sentence());
  } else {
    // An iterative method or a correction can work with it.
    const bool warns = GetParam().reconstructs && std::string(GetParam().name) != "back_projection";
    EXPECT_EQ(run(single, single).find("there is 1 view") != std::string::npos, warns);
  }
  EXPECT_THAT(error_of([] { (void)Projections::describe(0, 1, 24); }), AllOf(HasSubstr("0"), HasSubstr("Fix: ")));
}

TEST_P(BadScan, AnglesInRadiansAndViewsThatAreAllTheSameAreWarnedOf) {
  const bool iterates =
      GetParam().reconstructs && !GetParam().analytic && std::string(GetParam().name) != "back_projection";
  if (!iterates) return;  // analytic methods refuse such an arc, others make no volume of it
  const auto report = [](const std::vector<View>& views) {
    const Projections p = scan_of(fan(), views);
    return run(p, p);
  };
  CircularOrbit o = fan();
  o.arc_rad = 2.0 * std::numbers::pi * std::numbers::pi / 180.0;
  EXPECT_THAT(report(o.build()), AllOf(HasSubstr("the 60 views, 60 of them distinct, see an arc of 6.17847 deg"),
                                       HasSubstr("in degrees")));
  const std::vector<View> same(60, fan().build()[0]);
  EXPECT_THAT(report(same), HasSubstr("the 60 views, 1 of them distinct, see an arc of 0 deg"));

  const auto no_warning = Not(HasSubstr("see an arc"));
  EXPECT_THAT(report(fan().build()), no_warning);
  o.arc_rad = 15.0 * std::numbers::pi / 180.0;  // of breast tomosynthesis
  EXPECT_THAT(report(o.build()), no_warning);
  std::vector<View> line = same;  // sources and detectors side by side, each facing its own
  for (std::size_t n = 0; n < line.size(); ++n) {
    const Vector3 along = detail::times(0.02 * (static_cast<double>(n) - 30.0), line[n].u_step_mm);
    line[n].source_mm = detail::plus(line[n].source_mm, along);
    line[n].detector_origin_mm = detail::plus(line[n].detector_origin_mm, along);
  }
  EXPECT_THAT(report(line), no_warning);
}

TEST_P(BadScan, ReadingsWhoseSquaresFloat32DoesNotHoldAreNamedWithTheirPlace) {
  const std::string name = GetParam().name;
  if (!GetParam().reconstructs || GetParam().analytic || name == "back_projection") return;
  Projections p = good();
  p.views().span<float>()[24 * 17 + 5] = 1e20F;
  EXPECT_THAT(refusal(p), AllOf(is_one_sentence(), HasSubstr("the projections hold 1e+20 at view 17, row 0, column 5"),
                                HasSubstr("1e+15")));
  p.views().span<float>()[24 * 17 + 5] = 1e15F;
  run(p, p);
}

TEST_P(BadScan, VoxelsThatMostRaysPassByAreWarnedOf) {
  const std::string name = GetParam().name;
  if (!GetParam().reconstructs || GetParam().analytic || name == "back_projection") return;
  EXPECT_THAT(run(good(), good(), {{"spacing_mm", "0.001"}, {"nx", "8"}, {"ny", "8"}}),
              AllOf(HasSubstr("the voxels are 0.001 mm wide"), HasSubstr("where the rays are 6.66")));
  EXPECT_THAT(run(good(), good()), Not(HasSubstr("mm wide")));
}

TEST_P(BadScan, AnAngularGapIsNamedWithTheViewBeforeIt) {
  if (!GetParam().analytic) return;  // needs no gapless arc
  CircularOrbit o = fan();
  auto views = o.build();
  views.erase(views.begin() + 50, views.begin() + 55);  // two gaps: no short scan
  views.erase(views.begin() + 20, views.begin() + 35);
  o.views = static_cast<int>(views.size());
  EXPECT_THAT(refusal(scan_of(o, views), {{"largest_gap_deg", "20"}}),
              AllOf(is_one_sentence(), HasSubstr("after view 19"), HasSubstr("deg")));
}

TEST_P(BadScan, ADisplacedDetectorWithoutAFullCircleIsWarnedOfOrNamedWithItsView) {
  if (!GetParam().analytic) return;  // needs no opposite view
  CircularOrbit o = short_scan(fan());
  const auto warned = [&](double offset_mm, const Settings& more = {}) {
    o.detector_offset_u_mm = offset_mm;
    const Projections p = scan_of(o, o.build());
    return run(p, p, more).find("the detector is displaced and the views are no full circle") != std::string::npos;
  };
  o.arc_rad += 0.5;  // for the wider fan
  EXPECT_FALSE(warned(5));
  EXPECT_TRUE(warned(60));
  EXPECT_FALSE(warned(60, {{"truncation", "roll_off"}}));
  auto views = o.build();
  views[7].detector_origin_mm = views[7].element_mm(13, 0);
  const std::string refused = refusal(scan_of(o, views));
  EXPECT_THAT(refused, AllOf(is_one_sentence(), HasSubstr("the detector of view 7 ends 7.5 columns before the")));
}

TEST_P(BadScan, AVolumeOutsideTheBeamIsRefused) {
  if (!GetParam().reconstructs) return;                        // has no volume
  if (std::string(GetParam().name) == "fbp_reconstruction") {  // its slices lie where the rows are
    const Settings behind = {{"nx", "16"}, {"ny", "16"}, {"offset_mm", "1200, 0"}, {"spacing_mm", "2"}};
    EXPECT_THAT(refusal(good(), behind), AllOf(is_one_sentence(), HasSubstr("source")));
    return;
  }
  const Settings away = {{"nx", "16"}, {"ny", "16"}, {"offset_mm", "0, 0, 300"}, {"spacing_mm", "2"}};
  EXPECT_THAT(refusal(good(), away), AllOf(is_one_sentence(), HasSubstr("no view sees any of the volume")));
}

TEST_P(BadScan, ABudgetThatIsTooSmallNamesTheNodeAndWhatItNeeds) {
  SessionOptions small;
  small.memory_bytes = 3000;
  EXPECT_THAT(refusal(good(), {}, small), AllOf(HasSubstr("node"), HasSubstr("Fix: "), Not(HasSubstr("\n"))));
}

TEST_P(BadScan, TheBudgetThatARefusalAdvisesIsEnough) {
  if (!GetParam().reconstructs) return;
  const std::string words = "raise the budget to ";
  for (const bool with_node_before : {false, true}) {
    // What the node before it takes is more than 3000 bytes by itself.
    const auto planned = [&](std::uint64_t bytes) {
      Pipeline p(context());
      const Projections scan = good();
      p.add_input("scan", scan);
      p.add("node", GetParam().name);
      for (const auto& [key, value] : GetParam().settings) p.set("node", key, value);
      if (with_node_before) {
        p.add("before", "beam_hardening");
        p.set("before", "coefficients", "1");
        p.connect("scan", "output", "before", "input");
      }
      p.connect(with_node_before ? "before" : "scan", "output", "node", "input");
      p.add_output("out", "node", "output");
      SessionOptions small;
      small.memory_bytes = bytes;
      (void)p.prepare(small);
    };
    const std::string refused = error_of([&] { planned(3000); });
    ASSERT_THAT(refused, AllOf(is_one_sentence(), HasSubstr(words)));
    const double megabytes = std::stod(refused.substr(refused.find(words) + words.size()));
    EXPECT_NO_THROW(planned(static_cast<std::uint64_t>(megabytes * 1e6))) << refused;
    EXPECT_THAT(error_of([&] { planned(static_cast<std::uint64_t>(megabytes * 0.99e6)); }), HasSubstr("Fix: "))
        << "it is the least";
  }
}

TEST_P(BadScan, ACancelledSessionEndsInTheStage) {
  static std::once_flag once;
  std::call_once(once, [] { register_operator<EndlessScansOperator>(context().get()); });
  Pipeline p(context());
  p.add<EndlessScans>("scan", {});
  p.add("node", GetParam().name);
  for (const auto& [key, value] : GetParam().settings) p.set("node", key, value);
  p.connect("scan", "output", "node", "input");
  p.add_output("out", "node", "output");
  Session session = p.prepare();
  session.start();
  ASSERT_TRUE(session.pull("out"));
  const auto begin = std::chrono::steady_clock::now();
  session.cancel();
  EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

INSTANTIATE_TEST_SUITE_P(Recon, BadScan, ::testing::ValuesIn(stages),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace isocenter::testing
