// Forward and back projection by every variant of this processor beside the reference, in rays a second; 120 views of
// n x n, n^3 voxels, n planes a ray.
#include <benchmark/benchmark.h>

#include <thread>

#include "recon/joseph_variant.hpp"
#include "recon/projector_test_data.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int threads() { return static_cast<int>(std::thread::hardware_concurrency()); }

constexpr int views = 120;

Setting setting_of(int n, bool tilted) {
  Setting s{.name = ""};
  s.views = views;
  s.columns = s.rows = s.nx = s.ny = s.nz = n;
  s.voxel_mm[0] = s.voxel_mm[1] = s.voxel_mm[2] = 256.0 / n;
  s.step_mm = 384.0 / n;
  s.tilted = tilted;
  return s;
}

enum class Way { forward, back };

/// variant: null for the reference.
void project_by(benchmark::State& state, Way way, const JosephVariant* variant, bool reference, bool tilted = false) {
  if (!reference && variant == nullptr) {
    state.SkipWithError("this processor lacks the instruction set");
    return;
  }
  const TestProjector p(setting_of(static_cast<int>(state.range(0)), tilted));
  std::vector<float> volume(p.floats_of_volume(), 1.0F), stack(p.floats_of_views(), 1.0F);
  const ProjectorPlan& plan = p.plan();
  const JosephScan scan{plan.lines.data(), p.order(),  p.views(),
                        plan.runs,         plan.stack, {plan.plane[0], plan.plane[1], plan.plane[2]}};
  const int fast = plan.volume.fast;
  const Launcher launcher = launcher_with(threads(), reference);
  const Scratch scratch(joseph_simd_scratch(plan.plane, fast, plan.stack, threads()));
  for (auto _ : state) {
    if (reference && way == Way::forward)
      p.projector().forward(launcher, volume.data(), p.order(), p.views(), stack.data(), scratch.get());
    else if (reference)
      p.projector().back(launcher, stack.data(), p.order(), p.views(), volume.data(), scratch.get());
    else if (way == Way::forward)
      joseph_forward_by(launcher, *variant, {scan, volume.data(), stack.data()}, fast, scratch.get());
    else
      joseph_adjoint_by(launcher, *variant, {scan, stack.data(), volume.data(), 0}, fast, scratch.get());
    benchmark::DoNotOptimize(volume.data());
    benchmark::DoNotOptimize(stack.data());
  }
  const double n = static_cast<double>(state.range(0));
  state.counters["Mray/s"] = benchmark::Counter(views * n * n * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["Gsample/s"] =
      benchmark::Counter(views * n * n * n * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void ForwardReference(benchmark::State& s) { project_by(s, Way::forward, nullptr, true); }
void ForwardTilted(benchmark::State& s) { project_by(s, Way::forward, nullptr, true, true); }
void ForwardAvx2(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx2(), false); }
void ForwardAvx512(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx512(), false); }
void BackReference(benchmark::State& s) { project_by(s, Way::back, nullptr, true); }
void BackTilted(benchmark::State& s) { project_by(s, Way::back, nullptr, true, true); }
void BackAvx2(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx2(), false); }
void BackAvx512(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx512(), false); }
BENCHMARK(ForwardReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardTilted)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardAvx512)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackTilted)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackAvx512)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
