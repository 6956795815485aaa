// Forward and back projection by every variant of this processor beside the reference, in rays a second; 120 views of
// n x n, n^3 voxels, n planes a ray; fan: 360 views of n, n^2 pixels.
#include <benchmark/benchmark.h>

#include <thread>

#include "recon/joseph_variant.hpp"
#include "recon/projector_test_data.hpp"
#include "recon/voxel_driven.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

int threads() { return static_cast<int>(std::thread::hardware_concurrency()); }

constexpr int views = 120;

enum class Kind { cone, tilted, fan };

Setting setting_of(int n, Kind kind) {
  Setting s{.name = ""};
  s.views = kind == Kind::fan ? 3 * views : views;
  s.columns = s.rows = s.nx = s.ny = s.nz = n;
  if (kind == Kind::fan) s.rows = s.nz = 1;
  s.voxel_mm[0] = s.voxel_mm[1] = s.voxel_mm[2] = 256.0 / n;
  s.step_mm = 384.0 / n;
  s.tilted = kind == Kind::tilted;
  return s;
}

enum class Way { forward, back };

/// variant: null for the reference.
void project_by(benchmark::State& state, Way way, const JosephVariant* variant, bool reference,
                Kind kind = Kind::cone) {
  if (!reference && variant == nullptr) {
    state.SkipWithError("this processor lacks the instruction set");
    return;
  }
  const TestProjector p(setting_of(static_cast<int>(state.range(0)), kind));
  std::vector<float> volume(p.floats_of_volume(), 1.0F), stack(p.floats_of_views(), 1.0F);
  const ProjectorPlan& plan = p.plan();
  const JosephScan scan{plan.lines.data(), p.order(),  p.views(),
                        plan.runs,         plan.stack, {plan.plane[0], plan.plane[1], plan.plane[2]}};
  const int fast = plan.volume.fast;
  const Launcher launcher = launcher_with(threads(), reference);
  const bool any = kind != Kind::cone;
  const Scratch scratch(any ? joseph_any_scratch(plan.plane, fast, plan.stack, plan.turns, threads())
                            : joseph_simd_scratch(plan.plane, fast, plan.stack, threads()));
  for (auto _ : state) {
    if (reference && way == Way::forward)
      p.projector().forward(launcher, volume.data(), p.order(), p.views(), stack.data(), scratch.get());
    else if (reference)
      p.projector().back(launcher, stack.data(), p.order(), p.views(), volume.data(), scratch.get());
    else if (any && way == Way::forward)
      joseph_forward_any_by(launcher, *variant, {scan, volume.data(), stack.data()}, fast, plan.turns, scratch.get());
    else if (any)
      joseph_adjoint_any_by(launcher, *variant, {scan, stack.data(), volume.data(), 0}, fast, plan.turns,
                            scratch.get());
    else if (way == Way::forward)
      joseph_forward_by(launcher, *variant, {scan, volume.data(), stack.data()}, fast, scratch.get());
    else
      joseph_adjoint_by(launcher, *variant, {scan, stack.data(), volume.data(), 0}, fast, scratch.get());
    benchmark::DoNotOptimize(volume.data());
    benchmark::DoNotOptimize(stack.data());
  }
  const double n = static_cast<double>(state.range(0));
  const double rays = static_cast<double>(p.rays());
  state.counters["Mray/s"] = benchmark::Counter(rays * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["Gsample/s"] = benchmark::Counter(rays * n * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// The unmatched back projection of the cone, beside the adjoint.
void BackVoxelDriven(benchmark::State& state) {
  const Setting s = setting_of(static_cast<int>(state.range(0)), Kind::cone);
  const TestProjector p(s);
  const auto scanned = views_of_setting(s);
  const VolumeGrid grid{s.nx, s.ny, s.nz,
                        Geometry::centred(s.nx, s.ny, s.nz, {s.voxel_mm[0], s.voxel_mm[1], s.voxel_mm[2]})};
  const Acquisition scan{scanned, s.beam, s.detector, s.rows, s.columns};
  VoxelDriven back(projector_request(scan, grid), p.plan(), {p.order(), static_cast<std::size_t>(p.views())});
  back.use(back.host_matrices().data(), back.host_weights().data());
  std::vector<float> volume(p.floats_of_volume(), 1.0F), stack(p.floats_of_views(), 1.0F);
  const Launcher launcher = launcher_with(threads());
  const Scratch scratch(back.scratch_bytes(launcher));
  for (auto _ : state) {
    back.back(launcher, p.projector(), stack.data(), 0, p.views(), volume.data(), scratch.get());
    benchmark::DoNotOptimize(volume.data());
  }
  state.counters["Mray/s"] =
      benchmark::Counter(static_cast<double>(p.rays()) * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BackVoxelDriven)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

void ForwardReference(benchmark::State& s) { project_by(s, Way::forward, nullptr, true); }
void ForwardAvx2(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx2(), false); }
void ForwardAvx512(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx512(), false); }
void ForwardTiltedReference(benchmark::State& s) { project_by(s, Way::forward, nullptr, true, Kind::tilted); }
void ForwardTiltedAvx2(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx2(), false, Kind::tilted); }
void ForwardTiltedAvx512(benchmark::State& s) {
  project_by(s, Way::forward, joseph_variant_avx512(), false, Kind::tilted);
}
void ForwardFanReference(benchmark::State& s) { project_by(s, Way::forward, nullptr, true, Kind::fan); }
void ForwardFanAvx2(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx2(), false, Kind::fan); }
void ForwardFanAvx512(benchmark::State& s) { project_by(s, Way::forward, joseph_variant_avx512(), false, Kind::fan); }
void BackReference(benchmark::State& s) { project_by(s, Way::back, nullptr, true); }
void BackAvx2(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx2(), false); }
void BackAvx512(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx512(), false); }
void BackTiltedReference(benchmark::State& s) { project_by(s, Way::back, nullptr, true, Kind::tilted); }
void BackTiltedAvx2(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx2(), false, Kind::tilted); }
void BackTiltedAvx512(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx512(), false, Kind::tilted); }
void BackFanReference(benchmark::State& s) { project_by(s, Way::back, nullptr, true, Kind::fan); }
void BackFanAvx2(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx2(), false, Kind::fan); }
void BackFanAvx512(benchmark::State& s) { project_by(s, Way::back, joseph_variant_avx512(), false, Kind::fan); }
BENCHMARK(ForwardReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardAvx512)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardTiltedReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardTiltedAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardTiltedAvx512)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardFanReference)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardFanAvx2)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ForwardFanAvx512)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackAvx512)->Arg(128)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackTiltedReference)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackTiltedAvx2)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackTiltedAvx512)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackFanReference)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackFanAvx2)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BackFanAvx512)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
