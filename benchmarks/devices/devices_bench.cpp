// What a pipeline gets: every operator that runs on a GPU, through a session, on each device of this machine. Input and
// output stay on the device; a payload is timed from push until its result can be pulled.
#include <benchmark/benchmark.h>

#include <isocenter/denoise/bilateral_denoise.hpp>
#include <isocenter/denoise/non_local_means.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/phantom/phantom_volume.hpp>
#include <isocenter/recon/fdk_reconstruction.hpp>
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

/// Times items through one session; `work` of them (voxels, updates, frames) in each item.
template <class AddNode>
void through_a_session(benchmark::State& state, const std::string& device, const Payload& on_host, double work,
                       const char* output, AddNode&& add) {
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
      if (!session.pull("out")) session.wait();  // throws the item's error
    }
    session.end_input("in");
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
