#include "infer/threads.hpp"

#include <dnnl_config.h>

#include <algorithm>

#include "core/thread_handoff.hpp"

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
#include <omp.h>
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#endif

namespace isocenter::infer {
namespace {

using Body = void (*)(void*, std::int64_t, std::int64_t);

/// Contiguous shares, in units of `grain`, one for each thread. No result depends on where they are cut.
void parallel_for(void* pool, std::int64_t count, std::int64_t grain, Body body, void* data) {
  const std::int64_t units = (count + grain - 1) / std::max<std::int64_t>(grain, 1);
  const auto threads = std::min<std::int64_t>(static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(pool)), units);
  if (threads <= 1) return body(data, 0, count);
  const auto share = [&](std::int64_t i) {
    const std::int64_t begin = units * i / threads * grain, end = std::min(count, units * (i + 1) / threads * grain);
    if (begin < end) body(data, begin, end);
  };
  isocenter::detail::ThreadHandoff handoff;
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
#pragma omp parallel for num_threads(static_cast <int>(threads)) schedule(static, 1)
  for (std::int64_t i = 0; i < threads; ++i) handoff.part([&] { share(i); });
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
  tbb::parallel_for(std::int64_t{0}, threads, [&](std::int64_t i) { handoff.part([&] { share(i); }); });
#else
  for (std::int64_t i = 0; i < threads; ++i) share(i);
#endif
}

}  // namespace

isocenter::detail::Launcher cpu_launcher(int threads) {
  isocenter::detail::Launcher launcher;
  launcher.parallel_for = &parallel_for;
  launcher.pool = reinterpret_cast<void*>(static_cast<std::intptr_t>(threads));
  return launcher;
}

void use_threads([[maybe_unused]] int threads) {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
  omp_set_num_threads(threads);
#endif
}

int default_threads() {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
  return omp_get_num_procs();
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
  return tbb::this_task_arena::max_concurrency();
#else
  return 1;
#endif
}

}  // namespace isocenter::infer
