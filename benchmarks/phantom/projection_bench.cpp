// Exact line integrals a second.
#include <benchmark/benchmark.h>

#include <thread>

#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

void project_view(benchmark::State& state, const Solids& solids) {
  const View view = CircularOrbit{}.build()[37];
  std::vector<float> image(256 * 256);
  const Launcher launcher = launcher_with(static_cast<int>(std::thread::hardware_concurrency()));
  for (auto _ : state) project(launcher, solids, view, Beam::cone, 256, 256, 1.0, image.data());
  state.counters["rays"] =
      benchmark::Counter(256.0 * 256.0 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
void ProjectSheppLogan(benchmark::State& state) {
  Solids head;
  shepp_logan(Contrast::original, 100, &head);
  project_view(state, head);
}
void ProjectThorax(benchmark::State& state) {
  Solids chest;
  moving_thorax({}, 0.7, &chest);
  project_view(state, chest);
}
BENCHMARK(ProjectSheppLogan)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ProjectThorax)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
