#pragma once
// A launcher on the CPU with a chosen number of threads, for tests of kernels without a session.
#include <algorithm>
#include <thread>
#include <vector>

#include "core/launch.hpp"

namespace isocenter::testing {

inline detail::Launcher launcher_with(int threads, bool reference_only = false) {
  static constexpr auto run = [](void* pool, std::int64_t count, std::int64_t grain,
                                 void (*body)(void*, std::int64_t, std::int64_t), void* data) {
    const std::int64_t workers = reinterpret_cast<std::intptr_t>(pool);
    const auto work = [=](std::int64_t worker) {
      for (std::int64_t begin = worker * grain; begin < count; begin += workers * grain)
        body(data, begin, std::min(begin + grain, count));
    };
    std::vector<std::thread> others;
    for (std::int64_t w = 1; w < workers; ++w) others.emplace_back(work, w);
    work(0);
    for (auto& t : others) t.join();
  };
  detail::Launcher launcher;
  launcher.parallel_for = run;
  launcher.pool = reinterpret_cast<void*>(static_cast<std::intptr_t>(threads));
  launcher.concurrency = threads;
  launcher.reference_only = reference_only;
  return launcher;
}

}  // namespace isocenter::testing
