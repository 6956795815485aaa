// Filtered back projection, whole, by every variant of this processor beside the reference; in pixel updates
// (pixels × views × slices) a second. Arguments: pixels along an edge, slices, beam (0 parallel, 1 flat, 2 curved fan).
#include <benchmark/benchmark.h>

#include <numbers>
#include <thread>

#include "recon/fbp_engine.hpp"
#include "recon/recon_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

void reconstruct_by(benchmark::State& state, const FbpVariant* variant, bool here) {
  if (!here) {
    state.SkipWithError("this processor has not this instruction set");
    return;
  }
  const int n = static_cast<int>(state.range(0)), slices = static_cast<int>(state.range(1));
  const bool parallel = state.range(2) == 0;
  CircularOrbit o{.views = 720, .columns = n * 3 / 2, .rows = slices, .column_step_mm = parallel ? 1.0 : 1.5};
  o.beam = parallel ? Beam::parallel : Beam::cone;
  o.detector = state.range(2) == 2 ? DetectorShape::curved : DetectorShape::flat;
  if (parallel) o.arc_rad = std::numbers::pi;
  const std::vector<View> views = o.build();
  const std::vector<float> projections(
      static_cast<std::size_t>(o.views) * static_cast<std::size_t>(o.columns) * static_cast<std::size_t>(slices), 1.0F);
  FbpRequest r;
  r.scan = {views, o.beam, o.detector, slices, o.columns};
  r.stacked_fans = true;
  r.nx = r.ny = n;
  const int threads = static_cast<int>(std::thread::hardware_concurrency());
  FbpEngine engine(plan_fbp(r), nullptr, 0, threads, variant);
  engine.use(engine.host_tables());
  const Scratch scratch(engine.scratch_bytes());
  const auto pixels = static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * static_cast<std::size_t>(slices);
  std::vector<float> image(pixels);
  for (auto _ : state)
    engine.run(launcher_with(threads), projections.data(), image.data(), 0.0F, scratch.get(), nullptr, nullptr);
  state.counters["updates"] = benchmark::Counter(
      static_cast<double>(pixels) * o.views * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["scratch_MB"] = static_cast<double>(engine.scratch_bytes()) * 1e-6;
}

void FbpReference(benchmark::State& state) { reconstruct_by(state, nullptr, true); }
void FbpAvx2(benchmark::State& state) { reconstruct_by(state, fbp_variant_avx2(), fbp_variant_avx2() != nullptr); }
void FbpAvx512(benchmark::State& state) {
  reconstruct_by(state, fbp_variant_avx512(), fbp_variant_avx512() != nullptr);
}
void sizes(benchmark::internal::Benchmark* b) {
  for (const int beam : {0, 1, 2})
    for (const int slices : {1, 16}) b->Args({512, slices, beam});
}
BENCHMARK(FbpReference)->Args({512, 1, 0})->Args({512, 1, 2})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(FbpAvx2)->Apply(sizes)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(FbpAvx512)->Apply(sizes)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
