// A session that has run some items allocates nothing for the next ones.
#include <gtest/gtest.h>

#include <cmath>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <isocenter/recon/phase_sort.hpp>
#include <numbers>

#include "counted_allocations.hpp"
#include "device_test.hpp"
#include "projections_of.hpp"

namespace isocenter::testing {
namespace {

ISOCENTER_DEVICE_SUITE(Allocations);

/// A displacement field of two frames, of millimetres.
Volume small_field() {
  Geometry g({60, 60, 60}, {-90, -90, -90});
  g.time_step_s = 0.1;
  Volume v = Volume::own(std::vector<float>(2 * 4 * 4 * 4, 2.0F), 4, 4, 8, g, "mm");
  v.set_tensor("voxels", tensor(DType::float32, "tzyx", {2, 4, 4, 4}, v.voxels().data));
  return v;
}

TEST_P(Allocations, FdkOfOneScanAfterAnotherAllocatesNothing) {
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

TEST_P(Allocations, FilteredBackProjectionOfOneScanAfterAnotherAllocatesNothing) {
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

TEST_P(Allocations, ProjectorsAndIterationsOfOneScanAfterAnotherAllocateNothing) {
  for (const int rows : {1, 9}) {
    CircularOrbit orbit{.views = 30, .columns = 24, .rows = rows, .column_step_mm = 10, .row_step_mm = 10};
    const Projections scan = projections_of(orbit, 1.0F);
    const auto run = [&](const char* op, const std::vector<std::pair<const char*, const char*>>& set,
                         std::uint64_t memory_bytes) {
      Pipeline pipeline(context());
      pipeline.add_input("in", scan);
      pipeline.add("node", op);
      for (const auto& [key, value] : set) pipeline.set("node", key, value);
      pipeline.connect("in", "output", "node", "input");
      pipeline.add_output("out", "node", "output");
      SessionOptions with = options();
      with.in_flight = 1;
      with.memory_bytes = memory_bytes;
      Session session = pipeline.prepare(with);
      session.start();
      const auto frame = [&] {
        session.push("in", scan);
        EXPECT_TRUE(session.pull("out")) << op;
      };
      for (int i = 0; i < 6; ++i) frame();
      allocations = 0;
      counting = true;
      for (int i = 0; i < 5; ++i) frame();
      counting = false;
      EXPECT_EQ(allocations, 0) << op << ", " << rows << " rows, " << memory_bytes << " bytes";
      return session.report();
    };
    // Once with all the memory that it wants, and where it can work in slabs with four fifths.
    const auto allocates_nothing = [&](const char* op, const std::vector<std::pair<const char*, const char*>>& set) {
      const std::string report = run(op, set, 0);
      if (rows == 1 || std::string(op) == "back_projection") return;
      const auto at = report.find("\"" + GetParam() + "\":", report.find("\"memory_bytes\""));
      const auto planned = static_cast<std::uint64_t>(std::stoll(report.substr(at + GetParam().size() + 3)));
      EXPECT_NE(run(op, set, planned / 5 * 4).find("\"slabs\""), std::string::npos) << op;
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

TEST_P(Allocations, MotionCompensationAndFbpInSlabsAllocateNothing) {
  const Volume field = small_field();
  CircularOrbit orbit = small_orbit;
  std::vector<View> views = orbit.build();
  for (std::size_t n = 0; n < views.size(); ++n) views[n].phase = std::fmod(static_cast<double>(n) * 0.37, 1.0);
  Projections moving = projections_of(orbit, 1.0F), fans = projections_of(orbit, 1.0F);
  set_views(moving, views);
  for (const char* slabs : {"1", "3"})
    for (const bool motion : {true, false}) {
      Pipeline pipeline(context());
      pipeline.add("node", motion ? "motion_compensated_reconstruction" : "fbp_reconstruction");
      pipeline.set("node", "unit", "1/mm");
      pipeline.set("node", "slabs", slabs);
      if (!motion) pipeline.set("node", "stacked_fans", "true");
      std::vector<std::pair<const char*, Payload>> inputs = {{"input", motion ? moving : fans}};
      if (motion)
        for (const char* port : {"motion_x", "motion_y", "motion_z"}) inputs.emplace_back(port, field);
      for (const auto& [port, payload] : inputs) {
        pipeline.add_input(port, payload);
        pipeline.connect(port, "output", "node", port);
      }
      pipeline.add_output("out", "node", "output");
      Session session = pipeline.prepare(options());
      session.start();
      const auto frame = [&] {
        for (const auto& [port, payload] : inputs) session.push(port, payload);
        EXPECT_TRUE(session.pull("out"));
      };
      for (int i = 0; i < 10; ++i) frame();
      allocations = 0;
      counting = true;
      for (int i = 0; i < 10; ++i) frame();
      counting = false;
      EXPECT_EQ(allocations, 0) << (motion ? "motion, " : "fbp, ") << slabs << " slabs";
    }
}

TEST_P(Allocations, HelicalReconstructionOfOneScanAfterAnotherAllocatesNothing) {
  HelicalOrbit orbit{.turn = small_orbit, .pitch = 0.9};
  orbit.turn.arc_rad = 6 * std::numbers::pi;
  Projections scan = projections_of(small_orbit, 1.0F);
  set_views(scan, orbit.build());
  // The last one: in blocks, which are all alike.
  for (const std::int64_t slabs : {1, 3, 0}) {
    if (slabs == 0) {
      CircularOrbit block = small_orbit;
      block.views /= 6;
      scan = projections_of(block, 1.0F);
      set_views(scan, orbit.build());
      set_view_blocks(scan, 6);
    }
    Pipeline pipeline(context());
    const auto in = pipeline.add_input("in", scan);
    const auto helix = pipeline.add<HelicalReconstruction>(
        "helix", {.nx = 40, .ny = 40, .unit = AttenuationUnit::per_mm, .slabs = slabs});
    pipeline.connect(in, helix.input);
    pipeline.add_output("out", helix.output);
    Session session = pipeline.prepare(options());
    session.start();
    const auto frame = [&] {
      for (int n = 0; n < (slabs == 0 ? 6 : 1); ++n) session.push("in", scan);
      (void)session.pull("out");
    };
    for (int i = 0; i < 10; ++i) frame();
    allocations = 0;
    counting = true;
    for (int i = 0; i < 10; ++i) frame();
    counting = false;
    EXPECT_EQ(allocations, 0) << slabs;
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

}  // namespace
}  // namespace isocenter::testing
