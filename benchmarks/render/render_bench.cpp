// Rendering through the operators, as a pipeline does it, with tuned kernels and with the reference; in frames a
// second.
#include <benchmark/benchmark.h>

#include <isocenter/render/maximum_intensity_projection.hpp>
#include <isocenter/render/multi_planar_reformat.hpp>
#include <isocenter/render/slice_interpolation.hpp>
#include <isocenter/render/slice_view.hpp>
#include <isocenter/render/volume_render.hpp>

#include "render/render_test_data.hpp"

namespace isocenter::testing {
namespace {

/// Items through one prepared session.
template <class Op>
void run(benchmark::State& state, const typename Op::Params& params, const Volume& volume, double per_item,
         bool reference = false) {
  const Context context = context_with(0, reference);
  Pipeline pipeline(context);
  const auto node = pipeline.add<Op>("node", params);
  pipeline.connect(pipeline.add_input("in", volume), node.input);
  pipeline.add_output("out", node.output);
  Session session = pipeline.prepare();
  session.start();
  for (auto _ : state) {
    session.push("in", volume);
    benchmark::DoNotOptimize(session.pull("out"));
  }
  session.end_input("in");
  state.counters["rate"] =
      benchmark::Counter(per_item * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

Volume blob_volume(int n) { return Volume::own(blobs(n, n, n), n, n, n, Geometry({1, 1, 1}, {0, 0, 0}), "1"); }
VolumeRender::Params frame(double opacity) {
  return {.transfer_points = {5, 0, 0.9, 0.5, 0.3, 60, opacity, 1, 0.9, 0.8}, .width = 640, .height = 640, .frames = 1};
}

void VolumeRenderOpaque(benchmark::State& state) { run<VolumeRender>(state, frame(0.95), blob_volume(192), 1); }
void VolumeRenderTranslucent(benchmark::State& state) { run<VolumeRender>(state, frame(0.02), blob_volume(192), 1); }
void VolumeRenderTranslucentReference(benchmark::State& state) {
  run<VolumeRender>(state, frame(0.02), blob_volume(192), 1, true);
}
void MaximumIntensity(benchmark::State& state) {
  run<MaximumIntensityProjection>(state, {.frames = 1}, random_volume(192, 192, 192, 1), 1);
}
void MaximumIntensityReference(benchmark::State& state) {
  run<MaximumIntensityProjection>(state, {.frames = 1}, random_volume(192, 192, 192, 1), 1, true);
}
void ObliqueReformat(benchmark::State& state) {
  run<MultiPlanarReformat>(state,
                           {.plane = ReformatPlane::oblique,
                            .row_direction = {0.8, 0.6, 0},
                            .column_direction = {-0.36, 0.48, 0.8},
                            .width = 192,
                            .height = 192,
                            .slices = 192},
                           random_volume(192, 192, 192, 1), 192);
}
void AxialSlices(benchmark::State& state) { run<SliceView>(state, {}, random_volume(512, 512, 32, 1), 32); }
void InterpolateSlices(benchmark::State& state) {
  run<SliceInterpolation>(state, {.slice_mm = 1}, random_volume(256, 256, 9, 1, {0.8, 0.8, 4}), 8);
}
void InterpolateSlicesReference(benchmark::State& state) {
  run<SliceInterpolation>(state, {.slice_mm = 1}, random_volume(256, 256, 3, 1, {0.8, 0.8, 4}), 2, true);
}

BENCHMARK(VolumeRenderOpaque)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(VolumeRenderTranslucent)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(VolumeRenderTranslucentReference)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(MaximumIntensity)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(MaximumIntensityReference)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(ObliqueReformat)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(AxialSlices)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(InterpolateSlices)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(InterpolateSlicesReference)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace isocenter::testing
