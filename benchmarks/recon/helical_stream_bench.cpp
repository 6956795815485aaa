// A helix in blocks of views: what is left to do when the last one has come, beside the whole scan.
#include <benchmark/benchmark.h>

#include <ctime>
#include <isocenter/isocenter.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/helical_reconstruction.hpp>
#include <isocenter/recon/orbits.hpp>
#include <numbers>

namespace isocenter::testing {
namespace {

/// Of all threads; other work hardly changes it.
double processor_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// 1800 views of 32 rows of 1 mm at the axis and 256 columns in five rotations, 256² pixels and all slices of 1 mm that
/// they cover. Counters: the shortest processor time from the last block to the volume and of the whole scan, and the
/// memory that was planned.
void HelixLatencyAfterTheLastBlock(benchmark::State& state) {
  const auto block = state.range(0);
  constexpr int views = 1800;
  HelicalOrbit orbit{.turn = {.views = views, .columns = 256, .rows = 32}, .pitch = 0.8};
  orbit.turn.source_to_isocenter_mm = 570;
  orbit.turn.source_to_detector_mm = 1040;
  orbit.turn.column_step_mm = orbit.turn.row_step_mm = 1040.0 / 570;
  orbit.turn.arc_rad = 10 * std::numbers::pi;
  const Context context;
  Projections scan = Projections::describe(block, 32, 256);
  set_views(scan, orbit.build());
  if (block < views) set_view_blocks(scan, views / block);
  context.allocate(scan);
  for (float& v : scan.views().span<float>()) v = 1.0F;
  Pipeline pipeline(context);
  const auto in = pipeline.add_input("in", scan);
  const auto helix = pipeline.add<HelicalReconstruction>(
      "helix", {.nx = 256, .ny = 256, .spacing_mm = {0.9, 0.9, 1}, .unit = AttenuationUnit::per_mm});
  pipeline.connect(in, helix.input);
  pipeline.add_output("out", helix.output);
  SessionOptions options;
  options.in_flight = 1;
  Session session = pipeline.prepare(options);
  session.start();
  double least_tail = 1e30, least_whole = 1e30;
  for (auto _ : state) {
    const double whole = processor_ms();
    double tail = whole;
    for (std::int64_t first = 0; first < views; first += block) {
      tail = processor_ms();
      session.push("in", scan);
    }
    benchmark::DoNotOptimize(session.pull("out"));
    least_tail = std::min(least_tail, processor_ms() - tail);
    least_whole = std::min(least_whole, processor_ms() - whole);
  }
  state.counters["tail_cpu_ms"] = least_tail;
  state.counters["whole_cpu_ms"] = least_whole;
  const std::string report = session.report(), key = "\"memory_bytes\":{\"cpu\":";
  state.counters["planned_mb"] = 1e-6 * std::stod(report.substr(report.find(key) + key.size()));
}
// Views a block.
BENCHMARK(HelixLatencyAfterTheLastBlock)->Arg(1)->Arg(20)->Arg(1800)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace isocenter::testing
