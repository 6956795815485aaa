#pragma once
// Words that many positions of a launch write at once, with results that do not depend on their order.
#include "core/lanes.hpp"

namespace isocenter::detail {

/// *to = the smaller of it and `value`, whoever else does the same. Both are 0 or more.
ISOCENTER_HD void lower_to(std::int64_t* to, std::int64_t value) {
#if defined(__CUDA_ARCH__)
  atomicMin(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value));
#else
  std::int64_t seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(to, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
#endif
}
ISOCENTER_HD void lower_to(std::int32_t* to, std::int32_t value) {
#if defined(__CUDA_ARCH__)
  atomicMin(to, value);
#else
  std::int32_t seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(to, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
#endif
}
/// *to += value, whoever else does the same.
ISOCENTER_HD void add_to(std::int32_t* to, std::int32_t value) {
#if defined(__CUDA_ARCH__)
  atomicAdd(to, value);
#else
  __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
#endif
}

}  // namespace isocenter::detail
