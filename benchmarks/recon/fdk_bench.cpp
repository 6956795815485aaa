// FDK: back projection by every variant of this processor beside the reference, filtering, and the whole; in voxel
// updates (voxels × views) a second.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numbers>
#include <thread>

#include "recon/fdk_tile_variant.hpp"
#include "recon/recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int threads() { return static_cast<int>(std::thread::hardware_concurrency()); }

/// A scan of n × n elements and n³ voxels without an object: the work does not depend on the values.
Scan empty_scan(int n, int views) {
  CircularOrbit o{.views = views, .columns = n, .rows = n};
  o.column_step_mm = o.row_step_mm = 1.5 * 256.0 / n;
  Scan scan{o.build(), n, n, {}};
  scan.projections.assign(static_cast<std::size_t>(views) * static_cast<std::size_t>(n) * static_cast<std::size_t>(n),
                          1.0F);
  return scan;
}

void count_updates(benchmark::State& state, double updates) {
  state.counters["updates"] =
      benchmark::Counter(updates * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

template <class Run>
void back_project(benchmark::State& state, Run&& run) {
  const int n = static_cast<int>(state.range(0)), views = 96;
  const Scan scan = empty_scan(n, views);
  const FdkPlan plan = plan_fdk(request_for(scan));
  FdkStack stack = FdkStack::describe(nullptr, n, n);
  std::vector<float> memory(static_cast<std::size_t>(views * stack.view_stride) + 32, 1.0F);
  stack.data = memory.data() + (16 - reinterpret_cast<std::uintptr_t>(memory.data()) / sizeof(float) % 16) % 16;
  std::vector<float> volume(static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  const FdkBackProject job{stack, plan.matrices.data(), views, volume.data(), n, n, n, 0.0F, false};
  for (auto _ : state) run(job);
  count_updates(state, static_cast<double>(n) * n * n * views);
}

void BackProjectReference(benchmark::State& state) {
  back_project(state, [](const FdkBackProject& job) { launch(launcher_with(threads()), job, job.nx, job.ny, job.nz); });
}
void back_project_by(benchmark::State& state, const FdkTileVariant* variant) {
  if (variant == nullptr) {
    state.SkipWithError("this processor has not this instruction set");
    return;
  }
  const Scratch scratch(fdk_tile_scratch(*variant, threads()));
  back_project(state, [&](const FdkBackProject& job) {
    fdk_back_project_tiles(launcher_with(threads()), *variant, job, scratch.get());
  });
}
void BackProjectAvx2(benchmark::State& state) { back_project_by(state, fdk_variant_avx2()); }
void BackProjectAvx512(benchmark::State& state) { back_project_by(state, fdk_variant_avx512()); }
BENCHMARK(BackProjectReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackProjectAvx2)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackProjectAvx512)->Arg(128)->Arg(256)->Arg(512)->UseRealTime()->Unit(benchmark::kMillisecond);

/// Of a detector that is turned in its plane by so many tenths of a degree: every view is resampled.
void WholeFdk(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0)), views = static_cast<int>(state.range(1));
  const double skew = static_cast<double>(state.range(2)) * 0.1 * std::numbers::pi / 180;
  Scan scan = empty_scan(n, views);
  for (View& v : scan.views) {
    const Vector3 u = v.u_step_mm, w = v.v_step_mm;
    v.u_step_mm = plus(times(std::cos(skew), u), times(std::sin(skew), w));
    v.v_step_mm = minus(times(std::cos(skew), w), times(std::sin(skew), u));
  }
  FdkEngine engine(plan_fdk(request_for(scan)), nullptr, 0, threads());
  engine.use(engine.host_tables());
  const Scratch scratch(engine.scratch_bytes());
  std::vector<float> volume(static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  for (auto _ : state)
    engine.run(launcher_with(threads()), scan.projections.data(), volume.data(), 0.0F, scratch.get(), {});
  count_updates(state, static_cast<double>(n) * n * n * views);
  state.counters["scratch_MB"] = static_cast<double>(engine.scratch_bytes()) * 1e-6;
}
BENCHMARK(WholeFdk)
    ->Args({128, 180, 0})
    ->Args({256, 360, 0})
    ->Args({256, 360, 20})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Of all threads; other work hardly changes it.
double processor_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// From the arrival of a scan's last block to the volume; the blocks before it are not timed. Counters: the shortest
/// processor time of that and of the whole scan.
void LatencyAfterTheLastBlock(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0)), views = static_cast<int>(state.range(1));
  const int block = static_cast<int>(state.range(2));
  const Scan scan = empty_scan(n, views);
  FdkEngine engine(plan_fdk(request_for(scan)), nullptr, 0, threads(), {.block = block});
  engine.use(engine.host_tables());
  const Scratch scratch(engine.scratch_bytes()), stack(engine.stack_bytes());
  const std::size_t size = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  std::vector<float> volume(size * static_cast<std::size_t>(n));
  double least_tail = 1e30, least_whole = 1e30;
  for (auto _ : state) {
    const double whole = processor_ms();
    for (int first = 0; first < views; first += block) {
      const double tail = processor_ms();
      const auto begin = std::chrono::steady_clock::now();
      engine.add(launcher_with(threads()), scan.projections.data() + static_cast<std::size_t>(first) * size, first,
                 volume.data(), 0.0F, stack.get(), scratch.get(), {});
      if (first + block < views) continue;
      state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      least_tail = std::min(least_tail, processor_ms() - tail);
    }
    least_whole = std::min(least_whole, processor_ms() - whole);
  }
  state.counters["tail_cpu_ms"] = least_tail;
  state.counters["whole_cpu_ms"] = least_whole;
}
BENCHMARK(LatencyAfterTheLastBlock)
    ->Args({256, 360, 1})
    ->Args({256, 360, 10})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
