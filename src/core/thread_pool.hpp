#pragma once
// The CPU threads of a context whose embedder brings none: oneTBB's, which only thread_pool.cpp sees.
#include <isocenter/isocenter.h>

#include <memory>

namespace isocenter::detail {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  ///< 0: as many as the process may use
  ~ThreadPool();
  isocenter_threads threads();  ///< valid as long as the pool

 private:
  struct Arena;
  std::unique_ptr<Arena> arena_;
};

}  // namespace isocenter::detail
