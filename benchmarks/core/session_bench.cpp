// What the session itself costs: an item through a chain of operators that do nothing.
#include <benchmark/benchmark.h>

#include "core/test_operators.hpp"

namespace isocenter::testing {
namespace {

void SessionOverhead(benchmark::State& state) {
  const Context context = test_context();
  std::vector<float> voxels(1);
  const Volume in = Volume::wrap(voxels.data(), 1, 1, 1, Geometry(), "HU");
  Pipeline pipeline(context);
  Out<Volume> last = pipeline.add_input("input", in);
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const auto sum = pipeline.add<Sum>("sum" + std::to_string(i));
    pipeline.connect(last, sum.a);
    last = sum.output;
  }
  pipeline.add_output("output", last);
  Session session = pipeline.prepare();
  session.start();
  for (auto _ : state) {
    session.push("input", in);
    benchmark::DoNotOptimize(session.pull("output"));
  }
  state.counters["s_per_item_and_node"] = benchmark::Counter(
      static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(SessionOverhead)->Arg(1)->Arg(4)->Arg(16)->UseRealTime();

}  // namespace
}  // namespace isocenter::testing
