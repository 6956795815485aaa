#include "core/thread_pool.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "core/thread_handoff.hpp"

namespace isocenter::detail {

struct ThreadPool::Arena {
  explicit Arena(int threads) : arena(threads > 0 ? threads : tbb::task_arena::automatic) { arena.initialize(); }
  tbb::task_arena arena;
};

ThreadPool::ThreadPool(int threads) : arena_(std::make_unique<Arena>(threads)) {}
ThreadPool::~ThreadPool() = default;

isocenter_threads ThreadPool::threads() {
  isocenter_threads threads{};
  threads.struct_size = sizeof threads;
  threads.user = &arena_->arena;
  threads.concurrency = arena_->arena.max_concurrency();
  threads.parallel_for = [](void* user, std::int64_t count, std::int64_t grain,
                            void (*body)(void*, std::int64_t, std::int64_t), void* data) {
    ThreadHandoff handoff;
    static_cast<tbb::task_arena*>(user)->execute([&] {
      tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, count, static_cast<std::size_t>(grain)),
                        [&](const auto& r) { handoff.part([&] { body(data, r.begin(), r.end()); }); });
    });
  };
  return threads;
}

}  // namespace isocenter::detail
