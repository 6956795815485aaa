#pragma once
// Whole numbers that several threads of a kernel read and change at once. What they end as does not depend on the
// order: sums, maxima, and replacements that the caller makes so. No ordering of other memory is implied.
#include <cstdint>

#include "core/lanes.hpp"

namespace isocenter::detail {

ISOCENTER_HD int shared_load(const std::int32_t* p) {
#if defined(__CUDA_ARCH__)
  return *static_cast<const volatile std::int32_t*>(p);
#else
  return __atomic_load_n(p, __ATOMIC_RELAXED);
#endif
}

ISOCENTER_HD void shared_store(std::int32_t* p, int v) {
#if defined(__CUDA_ARCH__)
  *static_cast<volatile std::int32_t*>(p) = v;
#else
  __atomic_store_n(p, v, __ATOMIC_RELAXED);
#endif
}

/// Writes `wanted` where `expected` stands; gives what stood there.
ISOCENTER_HD int shared_replace(std::int32_t* p, int expected, int wanted) {
#if defined(__CUDA_ARCH__)
  return atomicCAS(p, expected, wanted);
#else
  __atomic_compare_exchange_n(p, &expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
#endif
}

template <class Number>
ISOCENTER_HD void shared_add(Number* p, Number v) {
#if defined(__CUDA_ARCH__)
  atomicAdd(p, v);
#else
  __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
#endif
}

ISOCENTER_HD void shared_maximum(unsigned long long* p, unsigned long long v) {
#if defined(__CUDA_ARCH__)
  atomicMax(p, v);
#else
  unsigned long long seen = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (seen < v && !__atomic_compare_exchange_n(p, &seen, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
#endif
}

}  // namespace isocenter::detail
