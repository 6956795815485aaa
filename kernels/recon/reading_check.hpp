#pragma once
// Readings that no reconstruction can use, found before they spread.
#include <cstdint>

#include "core/lane_math.hpp"
#include "recon/fdk.hpp"

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

/// What *first is before: no place.
constexpr std::int64_t no_reading = std::int64_t{1} << 62U;

/// Lowers *first to the place of a reading that is not finite, or is negative where that is refused. Launched over
/// columns × rows × views.
struct ReadingCheck {
  static constexpr const char* name = "recon/reading_check";
  const float* readings;
  std::int64_t* first;
  std::int32_t columns, rows;
  bool refuses_negative;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t place = (static_cast<std::int64_t>(z) * rows + y) * columns + x;
    const auto v = load(lanes, readings + place);
    // NaN fails every comparison.
    const float least = refuses_negative ? 0.0F : -3.4028235e38F;
    using Float = typename Lanes::Float;
    const auto bad = select((v >= least) & (v <= 3.4028235e38F), Float{}, Float{} + 1.0F);
    if (!any(bad > 0.0F)) return;
    for (int i = 0; i < Lanes::width; ++i) {
      const float one = readings[place + i];
      if (!(one >= least && one <= 3.4028235e38F)) return lower_to(first, place + i);
    }
  }
};

/// Lowers *first to `begin` and the number of a view with a filtered row that is not finite. What is not finite in one
/// reading is not anywhere in its row, so that a column of them tells. Launched over rows × 1 × views.
struct FilteredCheck {
  static constexpr const char* name = "recon/filtered_check";
  FdkStack stack;
  std::int64_t* first;
  std::int64_t begin;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int, int z) const {
    using Float = typename Lanes::Float;
    const Float v = load(lanes, stack.column(z, 0) + x);
    if (any(select((v >= -3.4028235e38F) & (v <= 3.4028235e38F), Float{}, Float{} + 1.0F) > 0.0F))
      lower_to(first, begin + z);
  }
};

}  // namespace isocenter::detail
