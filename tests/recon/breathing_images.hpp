#pragma once
// The breathing thorax in every way: from all views, phase by phase, along its motion, at rest, and the exhaled truth.
#include <isocenter/phantom/phantom_motion.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/motion_compensated_reconstruction.hpp>
#include <isocenter/recon/phase_sort.hpp>

#include "device_test.hpp"

namespace isocenter::testing {

constexpr std::int64_t breathing_phases = 8;

struct BreathingSetup {
  PhantomProjections::Params scan;  ///< its phantom is set
  std::int64_t nx = 0, ny = 0, nz = 0;
  double voxel_mm = 1;
  std::vector<double> offset_mm = {0, 0, 0};
  bool at_rest = false;  ///< a second scan, without a breath, too
};

struct BreathingImages {
  Projections sorted;
  Volume truth;  ///< exhaled, as frame 0 of the phases
  Volume all, phases, compensated;
  Volume at_rest;
};

inline BreathingImages breathing_images(const SessionOptions& options, const BreathingSetup& setup) {
  Pipeline pipeline(context());
  PhantomProjections::Params scan = setup.scan;
  scan.phantom = PhantomKind::moving_thorax;
  const auto raw = pipeline.add<PhantomProjections>("scan", scan);
  const auto phases =
      pipeline.add<PhaseSort>("phases", {.phases = breathing_phases, .source = PhaseSource::period, .period_s = 4});
  const auto motion = pipeline.add<PhantomMotion>("motion");
  FdkReconstruction::Params f;
  MotionCompensatedReconstruction::Params m;
  m.nx = f.nx = setup.nx, m.ny = f.ny = setup.ny, m.nz = f.nz = setup.nz;
  m.spacing_mm = f.spacing_mm = {setup.voxel_mm};
  m.offset_mm = f.offset_mm = setup.offset_mm;
  m.window = f.window = FdkWindow::hann;
  const auto all = pipeline.add<FdkReconstruction>("all", f), each = pipeline.add<FdkReconstruction>("each", f);
  const auto compensated = pipeline.add<MotionCompensatedReconstruction>("compensated", m);
  PhantomVolume::Params t;
  t.phantom = PhantomKind::moving_thorax;
  t.nx = setup.nx, t.ny = setup.ny, t.nz = setup.nz;
  t.spacing_mm = {setup.voxel_mm};
  t.centre_mm = setup.offset_mm;
  t.samples = 3;
  const auto truth = pipeline.add<PhantomVolume>("truth", t);
  pipeline.connect(raw.output, phases.input);
  pipeline.connect(raw.output, all.input);
  pipeline.connect(phases.output, each.input);
  pipeline.connect(phases.output, compensated.input);
  pipeline.connect(motion.x, compensated.motion_x);
  pipeline.connect(motion.y, compensated.motion_y);
  pipeline.connect(motion.z, compensated.motion_z);
  pipeline.add_output("p", phases.output);
  pipeline.add_output("a", all.output);
  pipeline.add_output("e", each.output);
  pipeline.add_output("c", compensated.output);
  pipeline.add_output("t", truth.output);
  if (setup.at_rest) {
    scan.diaphragm_mm = scan.lesion_motion_mm = 0;
    const auto still = pipeline.add<FdkReconstruction>("still", f);
    pipeline.connect(pipeline.add<PhantomProjections>("rest", scan).output, still.input);
    pipeline.add_output("s", still.output);
  }
  Session session = pipeline.prepare(options);
  session.start();
  const auto pull = [&](const char* name) { return context().copy_to(*session.pull(name), "cpu"); };
  BreathingImages images;
  images.sorted = Projections(pull("p"));
  images.all = Volume(pull("a"));
  images.phases = Volume(pull("e"));
  images.compensated = Volume(pull("c"));
  if (setup.at_rest) images.at_rest = Volume(pull("s"));
  images.truth = Volume(pull("t"));
  return images;
}

}  // namespace isocenter::testing
