// What operators tell of a run on a device, whose memory the host cannot read: readings that cannot be used, residuals,
// the corrections' metrics. The device is made of the CPU, with memory of its own (separate_device.hpp).
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_motion.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <limits>

#include "one_of.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
constexpr int columns = 26, rows = 12;

PhantomProjections::Params scan(std::int64_t views) {
  return {.views = views, .columns = columns, .rows = rows, .column_step_mm = 15, .row_step_mm = 15};
}
Payload circle() { return one_of<PhantomProjections>(scan(12)); }
Payload plane() {
  auto p = scan(14);
  p.beam = PhantomBeam::parallel;
  p.column_step_mm = 10;
  return one_of<PhantomProjections>(p);
}
Payload helix() {
  auto p = scan(96);
  p.orbit = PhantomOrbit::helix;
  p.arc_deg = 1440;
  p.pitch = 0.6;
  return one_of<PhantomProjections>(p);
}
Payload breathing() {
  auto p = scan(24);
  p.phantom = PhantomKind::moving_thorax;
  const Payload raw = one_of<PhantomProjections>(p);
  Pipeline pipeline(context());
  pipeline.add_input("scan", raw);
  pipeline.add("node", "phase_sort");
  pipeline.connect("scan", "output", "node", "input");
  pipeline.add_output("out", "node", "output");
  Session session = pipeline.prepare();
  session.start();
  session.push("scan", raw);
  session.end_input("scan");
  return context().copy_to(*session.pull("out"), "cpu");
}
Payload motion(const char* axis) {
  return one_of<PhantomMotion>({.frames = 4, .nx = 6, .ny = 5, .nz = 4, .spacing_mm = {60}}, axis);
}

/// The same with another value at one place.
Payload with(const Payload& payload, const char* tensor, std::int64_t place, float value) {
  Payload changed = context().copy_to(payload, "cpu");
  changed.tensor(tensor).as<float>()[place] = value;
  return changed;
}
std::int64_t reading(std::int64_t view, std::int64_t row, std::int64_t column) {
  return (view * rows + row) * columns + column;
}

// ---- reconstructions by filtered back projection ----

struct Method {
  NodeOnDevice node;
  Payload (*scan)();
  bool moves = false;
  int view = 9;  ///< one that the slices meet
};
const Method methods[] = {
    {{"fbp_reconstruction", {{"nx", "21"}, {"ny", "19"}, {"spacing_mm", "11"}, {"largest_gap_deg", "40"}}}, plane},
    {{"helical_reconstruction", {{"nx", "21"}, {"ny", "19"}, {"nz", "9"}, {"spacing_mm", "9"}}}, helix, false, 47},
    {{"motion_compensated_reconstruction",
      {{"nx", "21"}, {"ny", "19"}, {"nz", "9"}, {"spacing_mm", "11"}, {"largest_gap_deg", "40"}}},
     breathing,
     true}};

std::vector<std::pair<const char*, Payload>> inputs_of(const Method& m, const Payload& projections) {
  std::vector<std::pair<const char*, Payload>> inputs = {{"input", projections}};
  if (m.moves)
    inputs.insert(inputs.end(), {{"motion_x", motion("x")}, {"motion_y", motion("y")}, {"motion_z", motion("z")}});
  return inputs;
}

TEST(DeviceChecks, ReconstructionsGiveTheVolumeOfTheCpu) {
  for (const Method& m : methods) {
    const auto inputs = inputs_of(m, m.scan());
    Apart apart(ample);
    EXPECT_LT(apart_by(run_node(*apart.context, "apart:0", m.node, inputs).values,
                       run_node(context(), "cpu", m.node, inputs).values),
              2e-5)
        << m.node.name;
    EXPECT_GT(apart.device.kernels_run(), 0) << m.node.name;
  }
}

TEST(DeviceChecks, AReconstructionCountsItsTablesBeforeItTakesThem) {
  const Method& m = methods[2];
  const auto inputs = inputs_of(m, m.scan());
  const Given whole = run_node(context(), "cpu", m.node, inputs);
  int refused = 0, given = 0;
  for (std::uint64_t memory = 300000; memory > 20000; memory -= memory / 24) {
    Apart small(memory);
    small.device.leave_host_open();  // slabs are put together while the next one is made
    try {
      EXPECT_LT(apart_by(run_node(*small.context, "apart:0", m.node, inputs).values, whole.values), 2e-5) << memory;
      EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
      ++given;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("even a slab of 21 x 19 x 1 voxels needs ")) << memory;
      ++refused;
    }
  }
  EXPECT_GE(refused, 1);
  EXPECT_GE(given, 1);
}

TEST(DeviceChecks, AReadingThatCannotBeFilteredIsNamed) {
  for (const Method& m : methods) {
    const Payload good = m.scan();
    Apart apart(ample);
    for (const float value : {nan, infinity, 3e38F}) {
      const Payload bad = with(good, "views", reading(m.view, 7, 11), value);
      EXPECT_THAT(error_of([&] { run_node(*apart.context, "apart:0", m.node, inputs_of(m, bad)); }),
                  AllOf(HasSubstr("view " + std::to_string(m.view) + " has"), HasSubstr("at row 7, column 11"),
                        HasSubstr(std::isfinite(value) ? "beyond what float32 holds" : "not a number")))
          << m.node.name;
    }
  }
}

TEST(DeviceChecks, MotionCompensationOfProjectionsThatTheDeviceDoesNotHoldIsTheSame) {
  const Method& m = methods[2];
  const auto inputs = inputs_of(m, m.scan());
  Apart large(ample);
  const Given whole = run_node(*large.context, "apart:0", m.node, inputs);
  EXPECT_EQ(whole.report.find("pass by pass"), std::string::npos);
  for (const std::uint64_t memory : {300000, 100000})
    for (const bool eager : {false, true}) {
      Apart small(memory, eager);
      small.device.leave_host_open();
      const Given given = run_node(*small.context, "apart:0", m.node, inputs);
      EXPECT_THAT(given.report, HasSubstr("in host memory, brought to the device pass by pass")) << memory;
      EXPECT_LT(apart_by(given.values, whole.values), 3e-6) << memory;
      EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
    }
}

TEST(DeviceChecks, ADisplacementThatIsNoNumberOrReachesTheSourceIsNamed) {
  const Method& m = methods[2];
  Apart apart(ample);
  for (const float value : {nan, -501.0F}) {
    auto inputs = inputs_of(m, m.scan());
    inputs[3].second = with(inputs[3].second, "voxels", ((2 * 4 + 1) * 5 + 3) * 6 + 5, value);
    EXPECT_THAT(error_of([&] { run_node(*apart.context, "apart:0", m.node, inputs); }),
                AllOf(HasSubstr("input 'motion_z' has " + std::string(std::isnan(value) ? "nan" : "-501")),
                      HasSubstr("at node (5, 3, 1) of frame 2"), HasSubstr("up to 500 mm")));
  }
}

// ---- iterative methods ----

const std::vector<std::pair<const char*, std::string>> grid = {
    {"nx", "20"}, {"ny", "20"}, {"nz", "14"}, {"spacing_mm", "12"}, {"unit", "1/mm"}};

TEST(DeviceChecks, TheResidualOfEachIterationIsTold) {
  for (const char* name :
       {"os_sart_reconstruction", "osem_reconstruction", "cgls_reconstruction", "tv_reconstruction"}) {
    NodeOnDevice node{name, grid};
    node.settings.emplace_back("iterations", "3");
    Apart apart(ample);
    const std::vector<double> there = run_node(*apart.context, "apart:0", node, {{"input", circle()}})
                                          .metric("relative_residual"),
                              here =
                                  run_node(context(), "cpu", node, {{"input", circle()}}).metric("relative_residual");
    ASSERT_EQ(there.size(), 3U) << name;
    ASSERT_EQ(here.size(), 3U) << name;
    EXPECT_NE(there[2], there[0]) << name;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(there[i], here[i], 1e-5 * here[i]) << name << " " << i;
  }
}

TEST(DeviceChecks, IterationsEndWhenTheResidualStandsStill) {
  NodeOnDevice node{"cgls_reconstruction", grid};
  node.settings.insert(node.settings.end(), {{"iterations", "40"}, {"stop_at_change", "0.2"}});
  Apart apart(ample);
  const Given there = run_node(*apart.context, "apart:0", node, {{"input", circle()}}),
              here = run_node(context(), "cpu", node, {{"input", circle()}});
  EXPECT_GT(there.metric("iterations")[0], 1.0);
  EXPECT_LT(there.metric("iterations")[0], 40.0);
  EXPECT_EQ(there.metric("iterations"), here.metric("iterations"));
  EXPECT_LT(apart_by(there.values, here.values), 1e-5);
}

// ---- preparation and correction ----

Payload of(std::vector<float> values, std::int64_t views) {
  Projections p = Projections::describe(views, rows, columns);
  context().allocate(p);
  std::copy(values.begin(), values.end(), p.views().span<float>().begin());
  return p;
}
Payload counts(std::int64_t views, float level) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < views * rows * columns; ++i)
    values.push_back(level + static_cast<float>(i * 7919 % 101));
  return of(std::move(values), views);
}

TEST(DeviceChecks, CountsFramesAndDefectsAreRefusedAsOnTheCpu) {
  struct Case {
    std::vector<std::pair<const char*, std::string>> settings;
    std::vector<std::pair<const char*, Payload>> inputs;
    const char* says;
  };
  const Payload raw = counts(5, 900), dark = counts(2, 10), flat = counts(2, 2000);
  const Case cases[] = {
      {{{"i0_counts", "1000"}, {"bad_counts", "refuse"}},
       {{"input", with(raw, "views", reading(3, 5, 8), -4.0F)}},
       "1 counts have no logarithm, the first at view 3, row 5, column 8: -4 with a dark of 0"},
      {{}, {{"input", raw}, {"flat", with(flat, "views", 31, nan)}}, "the flat frames hold NaN or infinity"},
      {{}, {{"input", raw}, {"dark", flat}, {"flat", dark}}, "the dark is as bright as the flat or brighter"},
      {{{"i0_counts", "760"}, {"largest_defect_percent", "1"}},
       {{"input", raw}, {"bad_pixels", with(of(std::vector<float>(rows * columns, 0.0F), 1), "views", 30, 1.0F)}},
       ""},
      {{{"i0_counts", "1000"}},
       {{"input", raw}, {"bad_pixels", of(std::vector<float>(rows * columns, 1.0F), 1)}},
       "all 312 pixels are defective"}};
  Apart apart(ample);
  for (const Case& c : cases) {
    const NodeOnDevice node{"line_integrals", c.settings, "views"};
    if (*c.says != 0) {
      EXPECT_THAT(error_of([&] { run_node(*apart.context, "apart:0", node, c.inputs); }), HasSubstr(c.says));
      continue;
    }
    const Given there = run_node(*apart.context, "apart:0", node, c.inputs),
                here = run_node(context(), "cpu", node, c.inputs);
    EXPECT_EQ(there.values, here.values);
    EXPECT_EQ(there.metric("defects"), std::vector<double>{1});
    EXPECT_EQ(there.metric("clamped"), here.metric("clamped"));
    EXPECT_EQ(there.metric("above_i0"), here.metric("above_i0"));
  }
}

TEST(DeviceChecks, RingsAreTakenOutAndAReadingWithoutARankIsNamed) {
  const NodeOnDevice node{"ring_removal", {{"window", "5"}}, "views"};
  const Payload good = counts(9, 4);
  Apart apart(ample);
  EXPECT_EQ(run_node(*apart.context, "apart:0", node, {{"input", good}}).values,
            run_node(context(), "cpu", node, {{"input", good}}).values);
  for (const float value : {nan, infinity})
    EXPECT_THAT(error_of([&] {
                  run_node(*apart.context, "apart:0", node, {{"input", with(good, "views", reading(3, 5, 8), value)}});
                }),
                AllOf(HasSubstr("ring_removal 'node'"), HasSubstr("view 3 has"), HasSubstr("row 5, column 8")));
}

TEST(DeviceChecks, TheBordersIntensityIsTold) {
  const NodeOnDevice node{"line_integrals", {{"border_columns", "3"}}, "views"};
  Apart apart(ample);
  const Given there = run_node(*apart.context, "apart:0", node, {{"input", counts(5, 900)}}),
              here = run_node(context(), "cpu", node, {{"input", counts(5, 900)}});
  ASSERT_EQ(here.metric("i0").size(), 1U);
  EXPECT_NEAR(there.metric("i0").at(0), here.metric("i0")[0], 1e-3);
  EXPECT_NEAR(there.metric("border_imbalance").at(0), here.metric("border_imbalance").at(0), 1e-6);
}

TEST(DeviceChecks, CorrectionsTellTheirFigures) {
  const Payload p = circle();
  std::vector<float> metal(12 * rows * columns, 0.0F);
  for (std::size_t i = 9; i < metal.size(); i += columns) metal[i] = 4.0F;
  struct Case {
    NodeOnDevice node;
    std::vector<std::pair<const char*, Payload>> inputs;
    std::vector<const char*> metrics;
  };
  const Payload image = one_of<PhantomVolume>({.nx = 24, .ny = 24, .nz = 6, .spacing_mm = {9}});
  const Case cases[] = {
      {{"scatter_correction", {{"amplitude", "0.2"}, {"sigma_mm", "60"}}, "views"},
       {{"input", p}},
       {"scatter_to_primary", "clamped_percent"}},
      {{"metal_artefact_reduction", {}, "views"},
       {{"input", p}, {"metal", of(metal, 12)}},
       {"replaced_percent", "rows_all_metal"}},
      {{"hounsfield_calibration", {{"water_centre_mm", "0, 0, 0"}, {"water_radius_mm", "30"}, {"air_value", "-3"}}},
       {{"input", image}},
       {"slope", "intercept", "water"}}};
  Apart apart(ample);
  for (const Case& c : cases) {
    const Given there = run_node(*apart.context, "apart:0", c.node, c.inputs),
                here = run_node(context(), "cpu", c.node, c.inputs);
    EXPECT_LT(apart_by(there.values, here.values), 1e-5) << c.node.name;
    for (const char* name : c.metrics) {
      ASSERT_EQ(here.metric(name).size(), 1U) << name;
      ASSERT_EQ(there.metric(name).size(), 1U) << name;
      EXPECT_NEAR(there.metric(name)[0], here.metric(name)[0], 1e-5 * std::fabs(here.metric(name)[0])) << name;
    }
  }
  NodeOnDevice beside = cases[2].node;
  beside.settings = {{"water_centre_mm", "4, 4, 4"}, {"water_radius_mm", "0.1"}};
  EXPECT_THAT(error_of([&] {
                run_node(*apart.context, "apart:0", beside, {{"input", image}});
              }),
              HasSubstr("no voxel's centre lies in the region of water"));
}

}  // namespace
}  // namespace isocenter::testing
