// Non-local means by every instruction set of this processor beside the reference, and the bilateral filter; in voxels
// a second.
#include <benchmark/benchmark.h>

#include <thread>

#include "denoise/bilateral_denoise.hpp"
#include "denoise/denoise_test_data.hpp"
#include "denoise/noise_estimate.hpp"
#include "denoise/non_local_means_tuned.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int threads() { return static_cast<int>(std::thread::hardware_concurrency()); }

struct Images {
  explicit Images(int n) : in(noise(static_cast<std::int64_t>(n) * n * n, 0.05F, 1)), out(in.size()) {
    const auto truth = balls(n);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] += truth[i];
  }
  std::vector<float> in, out;
};

void count_voxels(benchmark::State& state, const Images& images) {
  state.counters["voxels"] = benchmark::Counter(
      static_cast<double>(images.in.size()) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

NonLocalMeansKernel filter(Images& images, int n) {
  return {images.in.data(), images.out.data(), n, n, n, 5, 5, 5, 1, 1, 1, 0.8F, 0.05F, nullptr};
}

void NonLocalMeansReference(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0));
  Images images(n);
  const NonLocalMeansKernel k = filter(images, n);
  for (auto _ : state) launch(launcher_with(threads()), k, n, n, n);
  count_voxels(state, images);
}
void non_local_means_by(benchmark::State& state, NonLocalMeansTileFunction tile) {
  if (tile == nullptr) return state.SkipWithError("this processor has not this instruction set");
  const int n = static_cast<int>(state.range(0));
  Images images(n);
  const NonLocalMeansKernel k = filter(images, n);
  const NonLocalMeansLayout layout = non_local_means_layout(k, std::uint64_t{1} << 30);
  std::vector<float> memory(layout.scratch_bytes / sizeof(float) + 16);
  auto* scratch = reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
  for (auto _ : state)
    for (int chunk = 0; chunk < layout.chunks; ++chunk)
      non_local_means_chunk(launcher_with(threads()), k, layout, 0, chunk, scratch, tile);
  count_voxels(state, images);
}
void NonLocalMeansBase(benchmark::State& state) { non_local_means_by(state, &non_local_means_tile_base); }
#if defined(__x86_64__)
void NonLocalMeansAvx2(benchmark::State& state) {
  const bool there = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  non_local_means_by(state, there ? &non_local_means_tile_avx2 : nullptr);
}
void NonLocalMeansAvx512(benchmark::State& state) {
  const bool there = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  non_local_means_by(state, there ? &non_local_means_tile_avx512 : nullptr);
}
#endif

void Bilateral(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0)), r = static_cast<int>(state.range(1));
  Images images(n);
  const float space = 2.0F / static_cast<float>(r * r);
  const BilateralKernel k{images.in.data(), images.out.data(), n, n, n, r, r, r, space, space, space, 20.0F};
  for (auto _ : state) launch(launcher_with(threads()), k, n, n, n);
  count_voxels(state, images);
}

void NoiseEstimate(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0));
  Images images(n);
  std::vector<std::uint32_t> words(NoiseMedian::state_words);
  float sigma = 0;
  for (auto _ : state) {
    launch(launcher_with(threads()), ResidualKernel{images.in.data(), images.out.data(), n, n, n, true, true, true}, n,
           n, n);
    noise_median(launcher_with(threads()), {images.out.data(), static_cast<std::int64_t>(images.out.size()),
                                            words.data() + NoiseMedian::state_words - 4, words.data(), &sigma, 0});
  }
  count_voxels(state, images);
}

BENCHMARK(NonLocalMeansReference)->Arg(48)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(NonLocalMeansBase)->Arg(128)->Unit(benchmark::kMillisecond)->UseRealTime();
#if defined(__x86_64__)
BENCHMARK(NonLocalMeansAvx2)->Arg(128)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(NonLocalMeansAvx512)->Arg(128)->Unit(benchmark::kMillisecond)->UseRealTime();
#endif
BENCHMARK(Bilateral)->Args({128, 2})->Args({128, 4})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(NoiseEstimate)->Arg(128)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace isocenter::testing
