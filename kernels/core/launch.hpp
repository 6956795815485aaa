#pragma once
// Launching a kernel on the device that a run context names. Operators call `launch`; CPU rows go through Pack8 with a
// Scalar tail, compiled for the base instruction set and for AVX2 and chosen at run time; another device is found
// through its table of kernels, which its module compiled from the same functor.
//
// CPU code is compiled with -ffp-contract=off, so that the bits do not depend on the instruction set or on the threads.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/lanes.hpp"

namespace isocenter::detail {

/// One kernel as a device module offers it: enqueues over nx × ny × nz positions and returns 0, or the device's error.
struct DeviceKernel {
  const char* name;        ///< the functor's `name`, e.g. "denoise/bilateral"
  std::size_t args_bytes;  ///< sizeof the functor, checked at plan time
  int (*enqueue)(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream);
};

/// What a launch needs to know of where it runs.
struct Launcher {
  /// Calls body(data, begin, end) over disjoint ranges that cover [0, n); returns when all are done.
  void (*parallel_for)(void* pool, std::int64_t n, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t),
                       void* data) = nullptr;
  void* pool = nullptr;
  /// Finds a device's kernel (a DeviceKernel) or service by name; null on the CPU.
  const void* (*find)(void* device, const char* name) = nullptr;
  void* device = nullptr;
  void* stream = nullptr;       ///< the device's queue; null on the CPU
  bool reference_only = false;  ///< ISOCENTER_KERNELS=reference: no tuned variant is used
  int concurrency = 1;          ///< how many threads parallel_for may use

  bool on_cpu() const { return find == nullptr; }
};

/// Runs fn(begin, end) over disjoint ranges of about `grain` or more that cover [0, n), on the launcher's threads.
template <class F>
void parallel_for(const Launcher& launcher, std::int64_t n, std::int64_t grain, F&& fn) {
  using Fn = std::remove_reference_t<F>;
  launcher.parallel_for(
      launcher.pool, n, grain,
      [](void* data, std::int64_t begin, std::int64_t end) { (*static_cast<Fn*>(data))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&fn)));
}

/// Raised through the operator's error path by whoever included this header (src/core/launch_error.cpp).
[[noreturn]] void throw_kernel_missing(const char* name);
[[noreturn]] void throw_launch_failed(const char* name, int device_error);

template <class K>
ISOCENTER_HD void run_row(const K& kernel, int nx, int y, int z) {
  int x = 0;
#if !defined(__CUDACC__)
  for (; x + Pack8::width <= nx; x += Pack8::width) kernel(Pack8{}, x, y, z);
#endif
  for (; x < nx; ++x) kernel(Scalar{}, x, y, z);
}

#if defined(__x86_64__) && !defined(__CUDACC__)
template <class K>
__attribute__((flatten, target("avx2,fma"))) void run_row_avx2(const K& kernel, int nx, int y, int z) {
  run_row(kernel, nx, y, z);
}
#endif
template <class K>
__attribute__((flatten)) void run_row_base(const K& kernel, int nx, int y, int z) {
  run_row(kernel, nx, y, z);
}

/// Enqueues a device kernel by name: a tuned variant, or a functor's generated one.
inline void launch_by_name(const Launcher& launcher, const char* name, const void* args, std::int64_t nx,
                           std::int64_t ny, std::int64_t nz) {
  const auto* kernel = static_cast<const DeviceKernel*>(launcher.find(launcher.device, name));
  if (kernel == nullptr) throw_kernel_missing(name);
  if (const int error = kernel->enqueue(args, nx, ny, nz, launcher.stream); error != 0)
    throw_launch_failed(name, error);
}

/// Calls kernel(lanes, x, y, z) for every position of nx × ny × nz. On the CPU it returns when done; on another device
/// it enqueues on the launcher's stream.
template <class K>
void launch(const Launcher& launcher, const K& kernel, int nx, int ny, int nz) {
  if (!launcher.on_cpu()) return launch_by_name(launcher, K::name, &kernel, nx, ny, nz);
#if defined(__x86_64__) && !defined(__CUDACC__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const auto row = avx2 ? &run_row_avx2<K> : &run_row_base<K>;
#else
  const auto row = &run_row_base<K>;
#endif
  const std::int64_t rows = static_cast<std::int64_t>(ny) * nz;
  parallel_for(launcher, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row(kernel, nx, static_cast<int>(r % ny), static_cast<int>(r / ny));
  });
}

}  // namespace isocenter::detail
