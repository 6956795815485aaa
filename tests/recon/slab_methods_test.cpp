// Motion-compensated reconstruction and filtered back projection with their volume in slabs: the same as whole to
// rounding on the CPU and on a device (made of the CPU, with memory of its own), as many as the memory asks for, and
// what is said when not even one fits.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_motion.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <limits>

#include "one_of.hpp"
#include "recon_apart.hpp"
#include "slab_taker.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double to_rounding = 2e-6;
constexpr int columns = 26, rows = 23;

PhantomProjections::Params scan(std::int64_t views) {
  return {.views = views, .columns = columns, .rows = rows, .column_step_mm = 15, .row_step_mm = 15};
}
Payload breathing(double turn_deg) {
  auto p = scan(24);
  p.phantom = PhantomKind::moving_thorax;
  p.misalignment_deg = turn_deg;
  Projections made(one_of<PhantomProjections>(p));
  std::vector<View> views(views_of(made).begin(), views_of(made).end());
  for (std::size_t n = 0; n < views.size(); ++n) views[n].phase = std::fmod(static_cast<double>(n) * 0.37, 1.0);
  set_views(made, views);
  return made;
}
/// `upside_down`: the last slice from the first row.
Payload slices(bool upside_down) {
  auto p = scan(14);
  p.beam = PhantomBeam::parallel;
  p.column_step_mm = 10;
  Projections made(one_of<PhantomProjections>(p));
  std::vector<View> views(views_of(made).begin(), views_of(made).end());
  for (View& v : views)
    for (std::size_t k = 0; upside_down && k < 3; ++k) {
      v.detector_origin_mm[k] += (rows - 1) * v.v_step_mm[k];
      v.v_step_mm[k] = -v.v_step_mm[k];
    }
  set_views(made, views, Beam::parallel);
  return made;
}
/// Changes from node to node along all axes, and from frame to frame. With `nz` = 9 it reaches over the volume of
/// motion_method.
Payload motion(const char* axis, std::int64_t nz) {
  Payload field = one_of<PhantomMotion>({.frames = 4, .nx = 7, .ny = 6, .nz = nz, .spacing_mm = {45, 50, 30}}, axis);
  const auto mm = field.tensor("voxels").span<float>();
  for (std::size_t i = 0; i < mm.size(); ++i)
    mm[i] = 9.0F * std::sin(0.9F * static_cast<float>(i / 42) + 0.3F * static_cast<float>(i % 42) +
                            static_cast<float>(axis[0]));
  return field;
}

struct Method {
  NodeOnDevice node;
  std::vector<std::pair<const char*, Payload>> inputs;
  std::int64_t nz;
  const char *slabs, *refusal;
};
NodeOnDevice with_slabs(const Method& m, std::int64_t n) {
  NodeOnDevice node = m.node;
  node.settings.emplace_back("slabs", std::to_string(n));
  return node;
}
Method motion_method(double turn_deg = 0, std::int64_t field_nz = 9) {
  return {{"motion_compensated_reconstruction",
           {{"nx", "21"}, {"ny", "19"}, {"nz", "25"}, {"spacing_mm", "8"}, {"largest_gap_deg", "40"}}},
          {{"input", breathing(turn_deg)},
           {"motion_x", motion("x", field_nz)},
           {"motion_y", motion("y", field_nz)},
           {"motion_z", motion("z", field_nz)}},
          25,
          "motion.slabs",
          "even a slab of 21 x 19 x 1 voxels needs "};
}
Method fbp_method(bool upside_down = false) {
  return {{"fbp_reconstruction", {{"nx", "24"}, {"ny", "22"}, {"spacing_mm", "10"}, {"largest_gap_deg", "40"}}},
          {{"input", slices(upside_down)}},
          rows,
          "fbp.slabs",
          "even slice by slice, a stack of 1 x 22 x 24 pixels needs "};
}

ISOCENTER_DEVICE_SUITE(MethodsInSlabs);

TEST_P(MethodsInSlabs, GiveTheWholeVolumeToRoundingForAnyNumber) {
  for (const Method& m : {motion_method(), motion_method(0.4), motion_method(0, 1), motion_method(0, 3), fbp_method(),
                          fbp_method(true)}) {
    const Given whole = run_node(context(), GetParam().c_str(), m.node, m.inputs);
    EXPECT_THAT(whole.report, Not(HasSubstr(m.slabs)));
    for (const std::int64_t n : {std::int64_t{2}, std::int64_t{3}, std::int64_t{7}, m.nz, m.nz + 5}) {
      const Given cut = run_node(context(), GetParam().c_str(), with_slabs(m, n), m.inputs);
      EXPECT_LT(apart_by(cut.values, whole.values), to_rounding) << m.node.name << " in " << n;
      EXPECT_THAT(cut.report, AllOf(HasSubstr(m.slabs), HasSubstr(" of " + std::to_string(m.nz) + " slices, from")));
    }
  }
}

TEST_P(MethodsInSlabs, OfMotionReadTheFieldAroundThem) {
  // Slabs of 5 slices of 8 mm lie between three or four of nine node slices, 30 mm apart.
  const Method m = motion_method();
  EXPECT_THAT(run_node(context(), GetParam().c_str(), with_slabs(m, 5), m.inputs).report,
              HasSubstr("each with up to 3 of 9 node slices of the field"));
}

TEST_P(MethodsInSlabs, RefuseADisplacementThatNoSlabReads) {
  Method m = motion_method();
  Payload broken = context().copy_to(m.inputs[2].second, "cpu");
  broken.tensor("voxels").as<float>()[(9 * 6 * 7) * 2 + 3] = std::numeric_limits<float>::quiet_NaN();
  m.inputs[2].second = broken;
  for (const std::int64_t n : {1, 8})
    EXPECT_THAT(error_of([&] { run_node(context(), GetParam().c_str(), with_slabs(m, n), m.inputs); }),
                HasSubstr("'motion_y' has nan mm at node (3, 0, 0) of frame 2"));
}

// ---- as the memory asks for ----

std::string run_into_taker(const Method& m, std::uint64_t memory_bytes, const Context& in = context(),
                           const char* device = "cpu") {
  SlabTakerOperator::join(in);
  Pipeline pipeline(in);
  pipeline.add("node", m.node.name);
  for (const auto& [key, value] : m.node.settings) pipeline.set("node", key, value);
  std::vector<std::pair<const char*, Payload>> inputs;
  for (const auto& [port, payload] : m.inputs) {
    inputs.emplace_back(port, in.copy_to(payload, "cpu"));
    pipeline.add_input(port, inputs.back().second);
    pipeline.connect(port, "output", "node", port);
  }
  pipeline.add<SlabTaker>("taker");
  pipeline.connect("node", "output", "taker", "input");
  SessionOptions options;
  options.device = device;
  options.memory_bytes = memory_bytes;
  options.in_flight = 1;
  Session session = pipeline.prepare(options);
  session.start();
  for (const auto& [port, payload] : inputs) session.push(port, payload);
  for (const auto& [port, payload] : inputs) session.end_input(port);
  session.wait();
  return session.report();
}

/// Volumes that are large beside what works on them.
Method large(Method m) {
  for (auto& [key, value] : m.node.settings) {
    if (std::string(key) == "nx" || std::string(key) == "ny") value = "150";
    if (std::string(key) == "spacing_mm") value = "1.2";
  }
  return m;
}

TEST(MethodsInSlabsOnTheCpu, AreAsManyAsTheBudgetAsksForWhenTheTakerTakesThem) {
  for (const Method& m : {large(motion_method()), large(fbp_method())}) {
    const std::string report = run_into_taker(m, 0);
    EXPECT_EQ(taken.height, std::vector<std::int64_t>{m.nz}) << "without a budget it comes whole";
    const std::vector<float> whole = taken.voxels;
    const auto at = report.find("\"cpu\":", report.find("\"memory_bytes\""));
    const std::uint64_t planned = std::stoull(report.substr(at + 6));
    std::size_t before = 1;
    for (const std::uint64_t budget : {planned / 5 * 4, planned / 2}) {
      run_into_taker(m, budget);
      ASSERT_GT(taken.height.size(), before) << m.node.name;
      before = taken.height.size();
      EXPECT_LT(apart_by(taken.voxels, whole), to_rounding) << m.node.name;
      ASSERT_EQ(taken.slabs.first.size(), taken.height.size());
      for (std::size_t i = 1; i < taken.height.size(); ++i)
        EXPECT_NEAR(taken.z_mm[i] - taken.z_mm[0],
                    (taken.z_mm.back() - taken.z_mm[0]) * static_cast<double>(taken.slabs.first[i]) /
                        static_cast<double>(taken.slabs.first.back()),
                    1e-9);
    }
  }
}

TEST(MethodsInSlabsOnTheCpu, ABudgetTooSmallForOneSlabIsRefusedWithTheOneThatWouldDo) {
  for (const Method& m : {motion_method(), fbp_method()}) {
    const std::string message = error_of([&] { run_into_taker(m, 8000); });
    EXPECT_THAT(message, AllOf(HasSubstr(m.node.name), HasSubstr(m.refusal), HasSubstr("Fix: raise the budget to")));
    const std::uint64_t least = budget_asked_for(message);
    EXPECT_THAT(run_into_taker(m, least + least / 1000), HasSubstr("\"status\":\"completed\""));
    EXPECT_THAT(error_of([&] { run_into_taker(m, least - least / 100); }), HasSubstr(m.refusal));
  }
}

TEST(MethodsInSlabsOnADevice, MotionOfAVolumeAndAFieldThatItDoesNotHold) {
  const Method m = motion_method();
  Apart ample_one(ample);
  const Given whole = run_node(*ample_one.context, "apart:0", m.node, m.inputs);
  EXPECT_THAT(whole.report, Not(HasSubstr("motion.slabs")));
  EXPECT_LT(apart_by(whole.values, run_node(context(), "cpu", m.node, m.inputs).values), 2e-5);
  int in_slabs = 0, refused = 0;
  for (std::uint64_t memory = 120000; memory > 15000; memory -= memory / 14)
    for (const bool eager : {false, true}) {
      Apart small(memory, eager);
      small.device.leave_host_open();  // slabs are put together while the next one is made
      try {
        const Given given = run_node(*small.context, "apart:0", m.node, m.inputs);
        EXPECT_LT(apart_by(given.values, whole.values), to_rounding) << memory;
        EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
        if (given.report.find("motion.slabs") == std::string::npos) continue;
        EXPECT_THAT(given.report,
                    AllOf(HasSubstr("motion.field"), HasSubstr("in host memory, brought to the device slab by slab")));
        ++in_slabs;
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), AllOf(HasSubstr(m.refusal), HasSubstr("use a device with"))) << memory;
        ++refused;
      }
    }
  EXPECT_GE(in_slabs, 6);
  EXPECT_GE(refused, 2);
}

TEST(MethodsInSlabsOnADevice, AFieldThatLiesThereAnywayStaysThereAndOneThatDoesNotComesBesideTheProjections) {
  const Method m = motion_method();
  const Given whole = run_node(context(), "cpu", m.node, m.inputs);
  for (const char* inputs_on : {"cpu", "apart:0"})
    for (const bool eager : {false, true}) {
      Apart apart(ample, eager);
      apart.device.leave_host_open();
      const Given cut = run_node(*apart.context, "apart:0", with_slabs(m, 6), m.inputs, 0, inputs_on);
      EXPECT_THAT(cut.report, AllOf(HasSubstr("motion.slabs"), Not(HasSubstr("motion.projections"))));
      EXPECT_EQ(cut.report.find("motion.field") == std::string::npos, std::string(inputs_on) == "apart:0");
      EXPECT_LT(apart_by(cut.values, whole.values), 2e-5);
    }
}

TEST(MethodsInSlabsOnADevice, FbpFromHostMemory) {
  const Method m = fbp_method(true);
  const Given whole = run_node(context(), "cpu", m.node, m.inputs);
  for (const std::uint64_t memory : {ample, std::uint64_t{30000}}) {
    Apart apart(memory);
    apart.device.leave_host_open();
    const Given cut = run_node(*apart.context, "apart:0", with_slabs(m, 3), m.inputs);
    EXPECT_EQ(cut.report.find("pass by pass") != std::string::npos, memory < ample);
    EXPECT_LT(apart_by(cut.values, whole.values), 1e-5) << memory;
  }
}

TEST(MethodsInSlabsOnADevice, FbpWhoseSlicesNeitherMemoryHoldsComeInSlabsThroughHostMemory) {
  const Method m = large(fbp_method());
  const std::vector<float> whole = run_node(context(), "cpu", m.node, m.inputs).values;
  int in_both = 0, refused = 0;
  for (std::uint64_t budget = 3000000; budget > 100000; budget -= budget / 5) {
    Apart apart(ample);
    apart.device.leave_host_open();
    try {
      const std::string report = run_into_taker(m, budget, *apart.context, "apart:0");
      EXPECT_LT(apart_by(taken.voxels, whole), 1e-5) << budget;
      EXPECT_LE(apart.device.most_memory(), budget);
      in_both += report.find("fbp.slabs") != std::string::npos && report.find("pass by pass") != std::string::npos;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("even slice by slice, a stack of 1 x 150 x 150 pixels needs "),
                                  HasSubstr("are left on 'apart:0'"), HasSubstr("raise the budget to ")));
      ++refused;
    }
  }
  EXPECT_GE(in_both, 2);
  EXPECT_GE(refused, 1);
}

TEST(MethodsInSlabsOnTheCpu, ACancelledSessionBeginsNoOtherSlab) {
  struct Watch {
    Session* session = nullptr;
    int begun = 0;
    static void hears(void* user, const char* node, std::int64_t, double fraction) {
      auto& w = *static_cast<Watch*>(user);
      if (std::string(node) == "node" && fraction == 0.0 && ++w.begun == 2) w.session->cancel();
    }
  };
  for (const Method& m : {motion_method(), fbp_method()}) {
    Watch watch;
    Pipeline pipeline(context());
    pipeline.add("node", m.node.name);
    for (const auto& [key, value] : with_slabs(m, 5).settings) pipeline.set("node", key, value);
    for (const auto& [port, payload] : m.inputs) {
      pipeline.add_input(port, payload);
      pipeline.connect(port, "output", "node", port);
    }
    pipeline.add_output("out", "node", "output");
    SessionOptions options;
    options.progress = Watch::hears;
    options.progress_user = &watch;
    Session session = pipeline.prepare(options);
    watch.session = &session;
    session.start();
    for (const auto& [port, payload] : m.inputs) session.push(port, payload);
    EXPECT_THAT(error_of([&] { session.wait(); }), HasSubstr("cancelled")) << m.node.name;
    EXPECT_EQ(watch.begun, 2) << m.node.name;
  }
}

}  // namespace
}  // namespace isocenter::testing
