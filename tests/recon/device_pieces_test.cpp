// Projections and volumes that the memory does not hold beside what works on them, on the CPU and on a device (made of
// the CPU, with memory of its own), and what is copied while kernels run.
#include <gmock/gmock.h>

#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

#include "one_of.hpp"
#include "recon_apart.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int columns = 26, rows = 22, views = 12;
constexpr double to_rounding = 3e-6;

PhantomProjections::Params circle_of(std::int64_t count) {
  return {.views = count, .columns = columns, .rows = rows, .column_step_mm = 15, .row_step_mm = 15};
}
Payload scan(double turn_deg = 0) {
  auto p = circle_of(views);
  p.misalignment_deg = turn_deg;
  return one_of<PhantomProjections>(p);
}
/// In HU: the way to line integrals is not just a factor.
Payload volume() { return one_of<PhantomVolume>({.nx = 24, .ny = 22, .nz = 64, .spacing_mm = {8}}); }

// ---- forward_projection and back_projection ----

struct Projecting {
  NodeOnDevice node;
  std::vector<std::pair<const char*, Payload>> inputs;
};
std::vector<Projecting> projectings(double turn_deg) {
  const std::vector<std::pair<const char*, std::string>> grid = {
      {"nx", "24"}, {"ny", "22"}, {"nz", "64"}, {"spacing_mm", "8"}};
  auto fast = grid;
  fast.emplace_back("back_projector", "voxel_driven");
  const Payload projections = scan(turn_deg);
  return {{{"forward_projection", {}, "views"}, {{"input", volume()}, {"geometry", projections}}},
          {{"back_projection", grid}, {{"input", projections}}},
          {{"back_projection", fast}, {{"input", projections}}}};
}

ISOCENTER_DEVICE_SUITE(PiecesWithinABudget);

TEST_P(PiecesWithinABudget, AreProjectedAndBackProjectedAsTheWhole) {
  for (const double turn_deg : {0.0, 3.0})
    for (const Projecting& p : projectings(turn_deg)) {
      const Given whole = run_node(context(), GetParam().c_str(), p.node, p.inputs);
      EXPECT_THAT(whole.report, Not(HasSubstr("views at a time")));
      int cut = 0;
      for (std::uint64_t budget = 600000; budget > 150000; budget -= budget / 12) {
        Given given;
        try {
          given = run_node(context(), GetParam().c_str(), p.node, p.inputs, budget);
        } catch (const Error& e) {
          EXPECT_THAT(e.what(), AllOf(HasSubstr("even in slabs of 24 x 22 x 1 voxels, "), HasSubstr(p.node.name),
                                      HasSubstr("raise the budget to")));
          continue;
        }
        cut += given.report.find("views at a time") != std::string::npos ? 1 : 0;
        EXPECT_LT(apart_by(given.values, whole.values), 1e-5) << p.node.name << " in " << budget;
      }
      // Voxel-driven, a copy in another order is made of a few views only.
      if (p.node.settings.size() < 5) {
        EXPECT_GE(cut, 2) << p.node.name;
      }
    }
}

TEST(Pieces, OfVolumesAndProjectionsOnADeviceAndBesideIt) {
  for (const Projecting& p : projectings(0.0)) {
    const Given on_cpu = run_node(context(), "cpu", p.node, p.inputs);
    Apart large(ample);
    const Given whole = run_node(*large.context, "apart:0", p.node, p.inputs);
    EXPECT_LT(apart_by(whole.values, on_cpu.values), to_rounding) << p.node.name;
    EXPECT_THAT(whole.report, Not(HasSubstr("host memory"))) << p.node.name;
    int in_slabs = 0, on_host = 0;
    for (const std::uint64_t memory : {400000, 300000, 200000, 150000})
      for (const bool eager : {false, true}) {
        Apart small(memory, eager);
        const Given cut = run_node(*small.context, "apart:0", p.node, p.inputs);
        EXPECT_LT(apart_by(cut.values, whole.values), to_rounding) << p.node.name << " in " << memory;
        EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
        const bool beside = cut.report.find("volume and projections in host memory") != std::string::npos;
        (beside ? on_host : in_slabs) += cut.report.find("views at a time") != std::string::npos ? 1 : 0;
      }
    if (p.node.settings.size() < 5) {
      EXPECT_GE(in_slabs, 1) << p.node.name;
    }
    EXPECT_GE(on_host, 2) << p.node.name;
  }
}

TEST(Pieces, TheScanWhoseGeometryIsTakenIsNotBroughtToTheDevice) {
  const Projecting p = projectings(0.0).front();
  Apart apart(ample);
  run_node(*apart.context, "apart:0", p.node, p.inputs);
  const std::uint64_t volume_bytes = 24 * 22 * 64 * 4, scan_bytes = columns * rows * views * 4;
  // To the device the volume and tables, back the projections.
  EXPECT_LT(apart.device.copied_bytes(), volume_bytes + scan_bytes + 27000);
}

// ---- FBP ----

TEST(Pieces, OfSlicesAreReconstructedAsTogetherOnTheCpuAndFromHostMemoryOnADevice) {
  auto params = circle_of(views);
  params.beam = PhantomBeam::parallel;
  params.column_step_mm = 10;
  const std::vector<std::pair<const char*, Payload>> inputs = {{"input", one_of<PhantomProjections>(params)}};
  const NodeOnDevice node = {"fbp_reconstruction",
                             {{"nx", "24"}, {"ny", "22"}, {"spacing_mm", "10"}, {"largest_gap_deg", "40"}}};
  const Given whole = run_node(context(), "cpu", node, inputs);
  EXPECT_THAT(whole.report, HasSubstr("\"fbp.slices_per_pass\":\"11\""));
  int smaller = 0;
  for (std::uint64_t budget = 400000; budget > 60000; budget -= budget / 12) try {
      const Given given = run_node(context(), "cpu", node, inputs, budget);
      EXPECT_LT(apart_by(given.values, whole.values), to_rounding) << budget;
      smaller += given.report.find("\"fbp.slices_per_pass\":\"11\"") == std::string::npos ? 1 : 0;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("even slice by slice, a stack of 22 x 22 x 24 pixels needs "),
                                  HasSubstr("raise the budget to")));
    }
  EXPECT_GE(smaller, 1);
  int from_host = 0;
  for (const std::uint64_t memory : {200000, 110000, 80000, 40000})
    for (const bool eager : {false, true}) {
      Apart small(memory, eager);
      const Given given = run_node(*small.context, "apart:0", node, inputs);
      EXPECT_LT(apart_by(given.values, whole.values), 1e-5) << memory;
      EXPECT_LE(small.device.most_memory(), memory / 10 * 9);
      from_host += given.report.find("brought to the device pass by pass") != std::string::npos ? 1 : 0;
    }
  EXPECT_GE(from_host, 2);
}

/// Copying them to the host would free nothing.
TEST(Pieces, WhatLiesOnTheDeviceAnywayIsNotCopiedToTheHost) {
  auto params = circle_of(views);
  params.beam = PhantomBeam::parallel;
  params.column_step_mm = 10;
  const NodeOnDevice fbp = {"fbp_reconstruction",
                            {{"nx", "24"}, {"ny", "22"}, {"spacing_mm", "10"}, {"largest_gap_deg", "40"}}};
  const auto projections = one_of<PhantomProjections>(params);
  const Given slices = run_node(context(), "cpu", fbp, {{"input", projections}});
  // Within a budget, which host memory has to keep to as well, where more is worked in than the slices are.
  params.views = 100;
  const auto many = one_of<PhantomProjections>(params);
  const Given slices_of_many = run_node(context(), "cpu", fbp, {{"input", many}});
  const Projecting forward = projectings(0.0).front();
  const Given on_cpu = run_node(context(), "cpu", forward.node, forward.inputs);
  int of_fbp = 0, within_budget = 0, of_forward = 0;
  for (std::uint64_t memory = 400000; memory > 60000; memory -= memory / 16) {
    const auto count = [&](const NodeOnDevice& node, const auto& inputs, const Given& wanted, bool as_budget,
                           const char* fact) {
      Apart apart(as_budget ? ample : memory);
      try {
        const Given given = run_node(*apart.context, "apart:0", node, inputs, as_budget ? memory : 0, "apart:0");
        EXPECT_LT(apart_by(given.values, wanted.values), 1e-5) << node.name << " in " << memory;
        return given.report.find(fact) != std::string::npos ? 1 : 0;
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), HasSubstr("budget"));
        return 0;
      }
    };
    of_fbp +=
        count(fbp, std::vector{std::pair{"input", projections}}, slices, false, "on the device; the slices in host");
    within_budget +=
        count(fbp, std::vector{std::pair{"input", many}}, slices_of_many, true, "on the device; the slices in host");
    of_forward += count(forward.node, forward.inputs, on_cpu, true, "views at a time, projections in host memory");
  }
  EXPECT_GE(of_fbp, 1);
  EXPECT_GE(within_budget, 1);
  EXPECT_GE(of_forward, 1);
}

// ---- FDK ----

const NodeOnDevice fdk = {
    "fdk_reconstruction",
    {{"nx", "20"}, {"ny", "20"}, {"nz", "18"}, {"spacing_mm", "12"}, {"unit", "1/mm"}, {"largest_gap_deg", "40"}}};

TEST(Pieces, ProjectionsThatLieOnTheDeviceAnywayStayThere) {
  const Payload projections = scan();
  Apart large(ample);
  const Given whole = run_node(*large.context, "apart:0", fdk, {{"input", projections}});
  int in_slabs = 0;
  for (const std::uint64_t budget : {270000, 72000, 60000}) {
    Apart from_host(ample), from_device(ample);
    from_host.device.leave_host_open();
    from_device.device.leave_host_open();
    EXPECT_THAT(run_node(*from_host.context, "apart:0", fdk, {{"input", projections}}, budget).report,
                HasSubstr("pass by pass"));
    const Given given = run_node(*from_device.context, "apart:0", fdk, {{"input", projections}}, budget, "apart:0");
    EXPECT_THAT(given.report, Not(HasSubstr("pass by pass")));
    in_slabs += given.report.find("fdk.slabs") != std::string::npos ? 1 : 0;
    EXPECT_LT(apart_by(given.values, whole.values), to_rounding);
  }
  EXPECT_GE(in_slabs, 1);
}

// ---- copies beside kernels ----

TEST(Overlap, TheNextPassOfProjectionsIsOnItsWayBeforeThisOneIsFiltered) {
  const Payload projections = scan();
  Apart apart(150000);
  watch<detail::FdkWeightRows>(&apart);
  const Given given = run_node(*apart.context, "apart:0", fdk, {{"input", projections}});
  const std::size_t passes = Watched::copied.size();
  ASSERT_GE(passes, 2U) << given.report;
  const std::uint64_t view_bytes = columns * rows * 4;
  const std::uint64_t tables = Watched::copied.back() - views * view_bytes;
  const std::uint64_t pass = (views + passes - 1) / passes * view_bytes;
  for (std::size_t i = 0; i < passes; ++i)
    EXPECT_GE(Watched::copied[i], tables + std::min<std::uint64_t>((i + 2) * pass, views * view_bytes)) << i;
}

TEST(Overlap, TheNextBlockOfAScanComesWhileThisOneIsReconstructed) {
  constexpr int blocks = 3;
  Apart apart(ample);
  apart.device.leave_host_open();
  watch<detail::FdkWeightRows>(&apart);
  Pipeline pipeline(*apart.context);
  auto params = circle_of(views);
  params.blocks = blocks;
  pipeline.add<PhantomProjections>("raw", params);
  pipeline.add("node", fdk.name);
  for (const auto& [key, value] : fdk.settings) pipeline.set("node", key, value);
  pipeline.connect("raw", "output", "node", "input");
  pipeline.add_output("out", "node", "output");
  SessionOptions options;
  options.device = "apart:0";
  options.in_flight = 2;
  Session session = pipeline.prepare(options);
  // The first block is not filtered before the second one is on the device, too.
  Watched::waits_for = apart.device.copied_bytes() + 2 * (views / blocks) * columns * rows * 4;
  session.start();
  const auto item = session.pull("out");
  if (!item) session.wait();
  ASSERT_TRUE(item);
  EXPECT_FALSE(Watched::waited_in_vain);
  const Payload made = apart.context->copy_to(*item, "cpu");
  const auto values = made.tensor("voxels").span<const float>();
  EXPECT_LT(apart_by({values.begin(), values.end()}, run_node(context(), "cpu", fdk, {{"input", scan()}}).values),
            1e-5);
}

}  // namespace
}  // namespace isocenter::testing
