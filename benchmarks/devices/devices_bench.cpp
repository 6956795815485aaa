// What a pipeline gets: every operator that runs on a GPU, through a session, on each device of this machine. Input and
// output stay on the device; a payload is timed from push until its result can be pulled.
#include <benchmark/benchmark.h>

#include <isocenter/denoise/bilateral_denoise.hpp>
#include <isocenter/denoise/non_local_means.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/back_projection.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
#include <isocenter/recon/forward_projection.hpp>
#include <isocenter/render/maximum_intensity_projection.hpp>
#include <isocenter/render/multi_planar_reformat.hpp>
#include <isocenter/render/volume_render.hpp>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

/// A node between a way in and a way out.
template <class Op>
void add_node(Pipeline& pipeline, const typename Op::Params& params, const Payload& input) {
  pipeline.add<Op>("node", params);
  pipeline.add_input("in", input);
}
void add_node(Pipeline& pipeline, const std::string& op, const std::vector<std::pair<std::string, std::string>>& values,
              const Payload& input) {
  pipeline.add("node", op);
  for (const auto& [name, value] : values) pipeline.set("node", name, value);
  pipeline.add_input("in", input);
}

/// Times items through one session; `work` of them (voxels, updates, frames) in each item. `geometry`: of a node with a
/// second input of this name.
template <class AddNode>
void through_a_session(benchmark::State& state, const std::string& device, const Payload& on_host, double work,
                       const char* output, AddNode&& add, const Payload* geometry = nullptr) {
  try {
    const Payload input = context().copy_to(on_host, device.c_str());
    Pipeline pipeline(context());
    add(pipeline, input);
    pipeline.connect("in", "output", "node", "input");
    pipeline.add_output("out", "node", output);
    Session session = pipeline.prepare({.device = device});
    session.start();
    for (auto _ : state) {
      session.push("in", input);
      if (geometry != nullptr) session.push("geometry", *geometry);
      if (!session.pull("out")) session.wait();  // throws the item's error
    }
    session.end_input("in");
    if (geometry != nullptr) session.end_input("geometry");
    state.counters["rate"] =
        benchmark::Counter(work * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  } catch (const Error& e) {
    state.SkipWithError(e.what());
  }
}

template <class Op>
Payload made_by(const typename Op::Params& params) {
  Pipeline pipeline(context());
  pipeline.add_output("out", pipeline.add<Op>("source", params).output);
  Session session = pipeline.prepare();
  session.start();
  return context().copy_to(*session.pull("out"), "cpu");
}

Payload thorax(std::int64_t n) {
  return made_by<PhantomVolume>({.phantom = PhantomKind::moving_thorax,
                                 .nx = n,
                                 .ny = n,
                                 .nz = n,
                                 .spacing_mm = {384.0 / static_cast<double>(n)}});
}

double cube(std::int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

template <class Op>
void volume_case(const std::string& name, const std::string& device, std::int64_t n, double work,
                 typename Op::Params params) {
  benchmark::RegisterBenchmark(
      (name + "/" + std::to_string(n) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        through_a_session(state, device, thorax(n), work, "output",
                          [&](Pipeline& pipeline, const Payload& input) { add_node<Op>(pipeline, params, input); });
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

void fdk_case(const std::string& device, std::int64_t n, std::int64_t views) {
  benchmark::RegisterBenchmark(
      ("Fdk/" + std::to_string(n) + "/" + std::to_string(views) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        const double step = 512.0 / static_cast<double>(n);
        const Payload shadows = made_by<PhantomProjections>(
            {.views = views, .columns = n, .rows = n, .column_step_mm = step, .row_step_mm = step});
        through_a_session(
            state, device, shadows, cube(n) * static_cast<double>(views), "output",
            [](Pipeline& pipeline, const Payload& input) { add_node<FdkReconstruction>(pipeline, {}, input); });
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// A C-arm's scan around a cube of n voxels a side: 1248 x 960 elements of 0.308 mm for 512 voxels of 0.5 mm. In
/// `blocks` equal blocks, of which it is one. What the readings are is all the same to the time it takes.
struct CArmScan {
  std::int64_t n, views, blocks = 1;

  double spacing_mm() const { return 256.0 / static_cast<double>(n); }
  double updates() const { return cube(n) * static_cast<double>(views); }
  Payload payload() const {
    CircularOrbit o{.views = static_cast<int>(views),
                    .columns = static_cast<int>(n * 39 / 16),
                    .rows = static_cast<int>(n * 15 / 8)};
    o.source_to_isocenter_mm = 785;
    o.source_to_detector_mm = 1200;
    o.column_step_mm = o.row_step_mm = 0.308 * 512 / static_cast<double>(n);
    Projections p = Projections::describe(views / blocks, o.rows, o.columns);
    set_views(p, o.build());
    if (blocks > 1) set_view_blocks(p, blocks);
    context().allocate(p);
    std::size_t i = 0;
    for (float& v : p.views().span<float>()) v = static_cast<float>(++i % 8191) * 1e-4F;
    return p;
  }
};

template <class Op>
typename Op::Params on_grid(const CArmScan& scan) {
  typename Op::Params p;
  p.nx = p.ny = p.nz = scan.n;
  p.spacing_mm = {scan.spacing_mm()};
  return p;
}
FdkReconstruction::Params fdk_params(const CArmScan& scan) {
  auto p = on_grid<FdkReconstruction>(scan);
  p.unit = AttenuationUnit::per_mm;
  return p;
}

/// Voxel updates, from and to the device's memory.
template <class Op>
void c_arm_case(const std::string& name, const std::string& device, const CArmScan& scan,
                const typename Op::Params& params) {
  benchmark::RegisterBenchmark(
      (name + "/" + std::to_string(scan.n) + "/" + std::to_string(scan.views) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        through_a_session(state, device, scan.payload(), scan.updates(), "output",
                          [&](Pipeline& pipeline, const Payload& input) { add_node<Op>(pipeline, params, input); });
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// A x of a volume in the device's memory.
void forward_case(const std::string& device, const CArmScan& scan) {
  benchmark::RegisterBenchmark(
      ("ForwardProjection/" + std::to_string(scan.n) + "/" + std::to_string(scan.views) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        const Payload geometry = context().copy_to(scan.payload(), device.c_str());
        const Volume voxels = Volume::own(
            std::vector<float>(static_cast<std::size_t>(scan.n * scan.n * scan.n), 0.02F), scan.n, scan.n, scan.n,
            Geometry::centred(scan.n, scan.n, scan.n, {scan.spacing_mm(), scan.spacing_mm(), scan.spacing_mm()}),
            "1/mm");
        through_a_session(
            state, device, voxels, scan.updates(), "output",
            [&](Pipeline& pipeline, const Payload& input) {
              add_node<ForwardProjection>(pipeline, {}, input);
              pipeline.add_input("geometry", geometry);
              pipeline.connect("geometry", "output", "node", "geometry");
            },
            &geometry);
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// FDK of a scan that comes in blocks from host memory: each is copied while the one before is worked on.
void streaming_case(const std::string& device, const CArmScan& scan) {
  benchmark::RegisterBenchmark(
      ("FdkStreaming/" + std::to_string(scan.n) + "/" + std::to_string(scan.views) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        try {
          const Payload block = scan.payload();
          Pipeline pipeline(context());
          add_node<FdkReconstruction>(pipeline, fdk_params(scan), block);
          pipeline.connect("in", "output", "node", "input");
          pipeline.add_output("out", "node", "output");
          Session session = pipeline.prepare({.device = device});
          session.start();
          for (auto _ : state) {
            for (std::int64_t i = 0; i < scan.blocks; ++i) session.push("in", block);
            if (!session.pull("out")) session.wait();  // throws the item's error
          }
          session.end_input("in");
          state.counters["rate"] =
              benchmark::Counter(scan.updates() * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
        } catch (const Error& e) {
          state.SkipWithError(e.what());
        }
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// The repository's own 3-D U-Net; needs the module infer.
void network_case(const std::string& device, std::int64_t n) {
  benchmark::RegisterBenchmark(
      ("SegmentVolume/" + std::to_string(n) + "/" + device).c_str(),
      [=](benchmark::State& state) {
        through_a_session(state, device, thorax(n), cube(n), "output", [](Pipeline& pipeline, const Payload& input) {
          add_node(pipeline, "segment_volume",
                   {{"model", ISOCENTER_SOURCE_DIR "/models/thorax_segmentation/thorax_segmentation.onnx"}}, input);
        });
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// The goal for an H100, 650 G updates a second, is that of BackProjectionVoxelDriven/512/496: FDK's back projection of
/// readings as they are.
void c_arm_cases(const std::string& device, const CArmScan& scan) {
  auto fast = on_grid<BackProjection>(scan);
  fast.back_projector = BackProjector::voxel_driven;
  c_arm_case<BackProjection>("BackProjectionVoxelDriven", device, scan, fast);
  c_arm_case<FdkReconstruction>("FdkCArm", device, scan, fdk_params(scan));
  streaming_case(device, {scan.n, scan.views, 31});
  const CArmScan few{scan.n, std::min<std::int64_t>(scan.views, 62)};
  forward_case(device, few);
  c_arm_case<BackProjection>("BackProjectionMatched", device, few, on_grid<BackProjection>(few));
}

void register_cases(const std::string& device) {
  // The CPU gets the sizes that it finishes in seconds; a GPU those too, and the ones that fill it.
  std::vector<std::int64_t> sizes = {128};
  if (device != "cpu") sizes.push_back(256);
  for (const std::int64_t n : sizes) {
    fdk_case(device, n, 180);
    volume_case<NonLocalMeans>("NonLocalMeans", device, n, cube(n), {.sigma = 20});
    volume_case<BilateralDenoise>("Bilateral", device, n, cube(n), {.sigma_space_mm = 3, .sigma_range = 60});
    network_case(device, n);
  }
  if (device != "cpu") fdk_case(device, 512, 360);
  c_arm_cases(device, {.n = 64, .views = 62});
  if (device != "cpu") c_arm_cases(device, {.n = 512, .views = 496});
  const std::int64_t n = 192;
  volume_case<VolumeRender>("VolumeRenderChest", device, n, 8, {.frames = 8});
  volume_case<VolumeRender>("VolumeRenderBone", device, n, 8, {.preset = TransferPreset::ct_bone, .frames = 8});
  volume_case<MaximumIntensityProjection>("MaximumIntensity", device, n, 8, {.frames = 8});
  volume_case<MultiPlanarReformat>("ObliqueReformat", device, n, n,
                                   {.plane = ReformatPlane::oblique,
                                    .row_direction = {0.8, 0.6, 0},
                                    .column_direction = {-0.36, 0.48, 0.8},
                                    .width = n,
                                    .height = n,
                                    .slices = n});
}

}  // namespace
}  // namespace isocenter::testing

int main(int argc, char** argv) {
  for (const auto& device : isocenter::testing::devices()) isocenter::testing::register_cases(device);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
