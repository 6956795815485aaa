#pragma once
// Threads for tests under the thread sanitizer, which cannot see into an uninstrumented oneTBB and would report races
// that are none: plain std::threads, which it understands. Elsewhere the library's own threads are tested.
#include <isocenter/isocenter.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace isocenter::testing {

inline const isocenter_threads* threads_under_test() {
#if defined(__SANITIZE_THREAD__)
  static const isocenter_threads plain{
      sizeof(isocenter_threads), nullptr, 4,
      [](void*, std::int64_t count, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t), void* data) {
        const std::int64_t part = std::max<std::int64_t>(grain, (count + 3) / 4);
        std::vector<std::thread> threads;
        for (std::int64_t begin = part; begin < count; begin += part)
          threads.emplace_back([=] { body(data, begin, std::min(begin + part, count)); });
        body(data, 0, std::min(part, count));
        for (auto& t : threads) t.join();
      }};
  return &plain;
#else
  return nullptr;
#endif
}

}  // namespace isocenter::testing
