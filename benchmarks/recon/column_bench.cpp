// Back projection of a helix and along a displacement field by every variant of this processor beside the reference. An
// update: a voxel and a view; for the helix a voxel and a direction, whatever the number of rays that meet it.
#include <benchmark/benchmark.h>

#include <thread>

#include "recon/column_jobs.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int threads() { return static_cast<int>(std::thread::hardware_concurrency()); }

template <class Run>
void count_updates(benchmark::State& state, double updates, Run&& run) {
  for (auto _ : state) run();
  state.counters["updates"] =
      benchmark::Counter(updates * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

/// n² voxels of 200 mm in all and 128 slices of 1 mm, 64 rows of 1 mm at the axis; 12 directions.
template <class Run>
void helix(benchmark::State& state, Run&& run) {
  const int n = static_cast<int>(state.range(0));
  const HelicalJob job(
      {"bench", n, n, 128, 200.0 / n, 1, 736, 64, 12, 1040.0 / 570, 0.01 * static_cast<double>(state.range(1))});
  std::vector<float> volume(job.voxels());
  count_updates(state, static_cast<double>(job.voxels()) * 12, [&] { run(job.kernel(volume)); });
}
void HelixReference(benchmark::State& state) {
  helix(state, [](const HelicalBackProject& job) { launch(launcher_with(threads()), job, job.nx, job.ny, job.nz); });
}
void helix_by(benchmark::State& state, const HelicalVariant* variant) {
  if (variant == nullptr) return state.SkipWithError("this processor has not this instruction set");
  const Scratch scratch(variant->tile.scratch_of(threads()));
  helix(state, [&](const HelicalBackProject& job) {
    helical_back_project_by(launcher_with(threads()), *variant, job, scratch.get());
  });
}
void HelixAvx2(benchmark::State& state) { helix_by(state, helical_variant_avx2()); }
void HelixAvx512(benchmark::State& state) { helix_by(state, helical_variant_avx512()); }
// Pixels a side, pitch in hundredths.
BENCHMARK(HelixReference)->Args({256, 100})->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(HelixAvx2)->Args({256, 100})->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(HelixAvx512)
    ->Args({256, 50})
    ->Args({256, 100})
    ->Args({256, 150})
    ->Args({512, 100})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// n³ voxels of 256 mm a side, n² elements; a field of 8 mm nodes and 15 mm of motion that changes by a fifth of a
/// millimetre for each millimetre; blending it is included.
template <class Run>
void motion(benchmark::State& state, Run&& run) {
  const int n = static_cast<int>(state.range(0));
  MotionJob job({"bench", n, n, n, 256.0 / n, n, n, 32, 1.5 * 256 / n, 32, 8, 5});
  std::vector<float> volume(job.voxels());
  count_updates(state, static_cast<double>(job.voxels()) * 32, [&] { run(job, job.kernel(volume)); });
}
void MotionReference(benchmark::State& state) {
  motion(state, [](const MotionJob& job, const MotionBackProject& kernel) {
    launch(launcher_with(threads()), job.blend, job.grid.nodes(), job.views(), 1);
    launch(launcher_with(threads()), kernel, job.nx, job.ny, job.nz);
  });
}
void motion_by(benchmark::State& state, const MotionVariant* variant) {
  if (variant == nullptr) return state.SkipWithError("this processor has not this instruction set");
  const Scratch scratch(variant->tile.scratch_of(threads()));
  motion(state, [&](const MotionJob& job, const MotionBackProject& kernel) {
    const MotionColumns columns = motion_columns(launcher_with(threads()), job.blend, kernel, job.blend.blended);
    motion_back_project_by(launcher_with(threads()), *variant, kernel, columns, scratch.get());
  });
}
void MotionAvx2(benchmark::State& state) { motion_by(state, motion_variant_avx2()); }
void MotionAvx512(benchmark::State& state) { motion_by(state, motion_variant_avx512()); }
BENCHMARK(MotionReference)->Arg(128)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(MotionAvx2)->Arg(128)->Arg(256)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(MotionAvx512)->Arg(128)->Arg(256)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
