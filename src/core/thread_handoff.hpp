#pragma once
// What the thread sanitizer cannot see: oneTBB and OpenMP as distributions ship them are not compiled with it, so that
// work which they hand from one thread to another looks like a race. The files that call them are compiled without it
// too (isocenter_hands_out_threads in CMake), and say what is guaranteed with a ThreadHandoff: what came before is seen
// by every part, and every part by what comes after. Between two parts it says nothing, so that their races are found.
// Costs nothing in other builds.

#if defined(ISOCENTER_THREAD_SANITIZER)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace isocenter::detail {

class ThreadHandoff {
 public:
#if defined(ISOCENTER_THREAD_SANITIZER)
  ThreadHandoff() { __tsan_release(&before_); }
  ~ThreadHandoff() { __tsan_acquire(&after_); }
  template <class Body>
  void part(Body&& body) {
    __tsan_acquire(&before_);
    body();
    __tsan_release(&after_);
  }

 private:
  char before_ = 0, after_ = 0;
#else
  template <class Body>
  void part(Body&& body) {
    body();
  }
#endif
};

}  // namespace isocenter::detail
