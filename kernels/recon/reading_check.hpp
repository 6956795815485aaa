#pragma once
// Readings that no reconstruction can use, found before they spread.
#include <cstdint>

#include "core/lane_math.hpp"
#include "core/shared_words.hpp"
#include "recon/fdk.hpp"

namespace isocenter::detail {

/// What *first is before: no place.
constexpr std::int64_t no_reading = std::int64_t{1} << 62U;
constexpr float largest_float = 3.4028235e38F;

/// Lowers *first to the place, counted from `base`, of a reading that is not a number from `least` to `most`. Launched
/// over columns × rows × views.
struct ReadingCheck {
  static constexpr const char* name = "recon/reading_check";
  const float* readings;
  std::int64_t* first;
  std::int32_t columns, rows;
  float least = -largest_float, most = largest_float;
  std::int64_t base = 0;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const std::int64_t place = (static_cast<std::int64_t>(z) * rows + y) * columns + x;
    const auto v = load(lanes, readings + place);
    // NaN fails every comparison.
    using Float = typename Lanes::Float;
    const auto bad = select((v >= least) & (v <= most), Float{}, Float{} + 1.0F);
    if (!any(bad > 0.0F)) return;
    for (int i = 0; i < Lanes::width; ++i) {
      const float one = readings[place + i];
      if (!(one >= least && one <= most)) return lower_to(first, base + place + i);
    }
  }
};

/// Lowers *first to `begin` and the number of a view with a filtered row that is not finite. What is not finite in one
/// reading is not anywhere in its row, so that a column of them tells. Launched over rows × 1 × views.
struct FilteredCheck {
  static constexpr const char* name = "recon/filtered_check";
  const float* column;  ///< view 0's
  std::int32_t row_stride;
  std::int64_t view_stride;
  std::int64_t* first;
  std::int64_t begin;

  static FilteredCheck of(const FdkStack& stack, std::int64_t* first, std::int64_t begin) {
    return {stack.column(0, 0), 1, stack.view_stride, first, begin};
  }

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int, int z) const {
    using Float = typename Lanes::Float;
    const Float v = gather(column + z * view_stride, Lanes::iota(x) * row_stride);
    if (any(select((v >= -largest_float) & (v <= largest_float), Float{}, Float{} + 1.0F) > 0.0F))
      lower_to(first, begin + z);
  }
};

}  // namespace isocenter::detail
