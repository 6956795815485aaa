#pragma once
// The CPU threads that this module spreads its work over: the session's, or the context's while planning.
#include <isocenter/isocenter.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>

namespace isocenter::detail::dicom {

class Workers {
 public:
  /// Everything on the calling thread.
  Workers() = default;
  explicit Workers(const isocenter_launcher& launcher) : launcher_(launcher) {}

  int concurrency() const {
    return launcher_.parallel_for == nullptr || launcher_.concurrency < 1 ? 1 : launcher_.concurrency;
  }

  /// Calls fn(i) for each i in [0, count). The first exception stops the rest and is thrown here: none crosses the
  /// embedder's threads.
  template <class F>
  void for_each(std::int64_t count, F&& fn) const {
    struct Job {
      std::remove_reference_t<F>* fn;
      std::atomic<bool> failed{false};
      std::mutex mutex;
      std::exception_ptr error;
    } job{&fn, {}, {}, {}};
    const auto body = [](void* data, std::int64_t begin, std::int64_t end) {
      auto& j = *static_cast<Job*>(data);
      for (std::int64_t i = begin; i < end && !j.failed.load(std::memory_order_relaxed); ++i) {
        try {
          (*j.fn)(i);
        } catch (...) {
          const std::lock_guard lock(j.mutex);
          if (j.error == nullptr) j.error = std::current_exception();
          j.failed = true;
        }
      }
    };
    if (launcher_.parallel_for == nullptr)
      body(&job, 0, count);
    else
      launcher_.parallel_for(launcher_.pool, count, 1, body, &job);
    if (job.error != nullptr) std::rethrow_exception(job.error);
  }

 private:
  isocenter_launcher launcher_{};
};

}  // namespace isocenter::detail::dicom
