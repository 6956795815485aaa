// Memory of whole sessions, from the phantom's projections to the volume: planned_MB is what the plan states, peak_MB
// by how much the process grew at most. 128³ voxels from 120 views of 128² (7.9 and 8.4 MB); fan: 512² pixels from 720
// views of 768.
#include <benchmark/benchmark.h>

#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_projections.hpp>

#include "peak_memory.hpp"

namespace isocenter::testing {
namespace {

using Settings = std::vector<std::pair<const char*, const char*>>;

struct Case {
  const char* name;
  const char* method;
  Settings settings;
  bool fan = false;
  std::uint64_t budget_bytes = 0;
};

PhantomProjections::Params scan_of(bool fan) {
  if (fan) return {.views = 720, .columns = 768, .rows = 1, .column_step_mm = 0.6, .row_step_mm = 0.6};
  return {.views = 120, .columns = 128, .rows = 128, .column_step_mm = 3, .row_step_mm = 3};
}

double planned_mb(const std::string& report) {
  const auto at = report.find("\"cpu\":", report.find("\"memory_bytes\""));
  return std::stod(report.substr(at + 6)) * 1e-6;
}

void memory_of(benchmark::State& state, const Case& c) {
  isocenter_context_options o{};
  o.struct_size = sizeof o;
  o.flags = ISOCENTER_CONTEXT_NO_MODULES;
  for (auto _ : state) {
    forget_peak_memory();
    const double before = memory_mb("VmRSS");
    const Context context(o);
    Pipeline pipeline(context);
    pipeline.add<PhantomProjections>("scan", scan_of(c.fan));
    pipeline.add("node", c.method);
    for (const auto& [key, value] : c.settings) pipeline.set("node", key, value);
    pipeline.connect("scan", "output", "node", "input");
    pipeline.add_output("out", "node", "output");
    SessionOptions options;
    options.in_flight = 1;
    options.memory_bytes = c.budget_bytes;
    Session session = pipeline.prepare(options);
    session.start();
    if (!session.pull("out")) session.wait();
    state.counters["peak_MB"] = memory_mb("VmHWM") - before;
    state.counters["planned_MB"] = planned_mb(session.report());
  }
}

const Settings cube = {{"nx", "128"}, {"ny", "128"}, {"nz", "128"}, {"spacing_mm", "2"}};
const Settings square = {{"nx", "512"}, {"ny", "512"}, {"spacing_mm", "0.5"}};
Settings with(Settings all, const Settings& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

[[maybe_unused]] const bool registered = [] {
  const Settings three = with(cube, {{"iterations", "3"}});
  const Settings subsets = with(three, {{"subsets", "10"}});
  for (const Case& c : std::initializer_list<Case>{{"Fdk", "fdk_reconstruction", cube},
                                                   {"Fbp", "fbp_reconstruction", square, true},
                                                   {"BackProjection", "back_projection", cube},
                                                   {"Sirt", "os_sart_reconstruction", three},
                                                   {"SirtInSlabs", "os_sart_reconstruction", three, false, 50'000'000},
                                                   {"OsSart", "os_sart_reconstruction", subsets},
                                                   {"Osem", "osem_reconstruction", subsets},
                                                   {"Cgls", "cgls_reconstruction", three},
                                                   {"Tv", "tv_reconstruction", three}})
    benchmark::RegisterBenchmark((std::string("Memory/") + c.name).c_str(), [c](auto& state) { memory_of(state, c); })
        ->Iterations(1)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
}  // namespace isocenter::testing
