// Windows a second through sessions on the CPU: of a volume in batches, and of a stream whose items are one window
// each. "windows" is a rate of elapsed time; "CPU" is the processor time of all threads, which a busy machine disturbs
// least. Planning is in neither.
#include <benchmark/benchmark.h>

#include <isocenter/infer/network_inference.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>
#include <thread>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

Volume noisy(std::int64_t n, std::int64_t depth, double spacing_mm) {
  std::vector<float> v(static_cast<std::size_t>(n * n * depth));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i * 2654435761U % 2001U) - 1000.0F;
  return Volume::own(std::move(v), n, n, depth, Geometry::centred(n, n, depth, {spacing_mm, spacing_mm, spacing_mm}),
                     "HU");
}

/// Passes of `items` through the operator, `windows` in each; the first pass is not timed.
template <class Op>
void stream(benchmark::State& state, const typename Op::Params& params, const Volume& item, int items,
            std::int64_t windows) {
  Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", item);
  const auto network = pipeline.add<Op>("network", params);
  pipeline.connect(input, network.input);
  pipeline.add_output("output", network.output);
  Session session = pipeline.prepare();
  session.start();
  const auto pass = [&] {
    std::jthread pushes([&] {
      for (int i = 0; i < items; ++i) session.push("input", item);
    });
    for (int i = 0; i < items; ++i) benchmark::DoNotOptimize(session.pull("output"));
  };
  pass();
  for (auto _ : state) pass();
  state.counters["windows"] = benchmark::Counter(
      static_cast<double>(windows * items) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  session.cancel();
}

/// The demonstration network for the thorax, on 27 windows. Arguments: the window's
/// extent and the batch.
void SegmentVolumeWindows(benchmark::State& state) {
  const std::int64_t window = state.range(0), volume = window * 3 - window / 2;
  SegmentVolume::Params params;
  params.model = ISOCENTER_SOURCE_DIR "/models/thorax_segmentation/thorax_segmentation.onnx";
  params.window = std::vector<double>(3, static_cast<double>(window));
  params.batch = static_cast<int>(state.range(1));
  const std::int64_t along = 3;  // every three quarters of a window
  stream<SegmentVolume>(state, params, noisy(volume, volume, 3), 1, along * along * along);
}
BENCHMARK(SegmentVolumeWindows)
    ->ArgNames({"window", "batch"})
    ->Args({96, 1})
    ->Args({96, 2})
    ->Args({32, 1})
    ->Args({32, 2})
    ->Args({32, 4})
    ->Args({32, 9})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// The demonstration denoiser on a stream of small volumes. Arguments: the extent in x and y (8 slices deep), and
/// stream_batch.
void DenoiserItems(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  NetworkInference::Params params;
  params.model = ISOCENTER_SOURCE_DIR "/models/ct_denoiser/ct_denoiser.onnx";
  params.window = {static_cast<double>(n), static_cast<double>(n), 8};
  params.stream_batch = static_cast<int>(state.range(1));
  stream<NetworkInference>(state, params, noisy(n, 8, 1), 16, 1);
}
BENCHMARK(DenoiserItems)
    ->ArgNames({"extent", "stream_batch"})
    ->Args({32, 1})
    ->Args({32, 4})
    ->Args({32, 8})
    ->Args({128, 1})
    ->Args({128, 4})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
