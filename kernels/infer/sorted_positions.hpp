#pragma once
// The best positions along an axis with as many threads as there are elements: a bitonic sort (K. E. Batcher, "Sorting
// networks and their applications", AFIPS 1968) of each column's positions. The order is total, so that its result is
// that of any other sort. For few long columns on a device; many columns go by TopPositionsKernel.
#include "infer/elements.hpp"

namespace isocenter::detail {

/// One exchange step of the sort: positions i and i ^ distance, in runs of `run` that go up and down by turns. The
/// first step, run 0, writes the positions as they come. Columns of `padded` positions each, a power of two; what is
/// not below `extent` comes last.
struct SortPositionsKernel {
  static constexpr const char* name = "infer/sort_positions";
  ElementSource values;  ///< (outer, extent, inner)
  std::int32_t* positions;
  std::int64_t count;  ///< columns * padded
  std::int64_t inner;
  std::int32_t extent, padded, run, distance;
  int largest;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { exchange(i); });
  }

 private:
  /// NaN counts as larger than all; the lower position first where equal.
  ISOCENTER_HD bool before(std::int64_t start, std::int32_t a, std::int32_t b) const {
    if (a >= extent || b >= extent) return a < b;
    const std::int64_t at = start + a * inner, bt = start + b * inner;
    if (values.form.is_whole()) {
      const std::int64_t va = values.whole(at), vb = values.whole(bt);
      if (va == vb) return a < b;
      const bool above = values.form.kind == ElementForm::Kind::unsigned_whole
                             ? static_cast<std::uint64_t>(va) > static_cast<std::uint64_t>(vb)
                             : va > vb;
      return above == (largest != 0);
    }
    const double va = values.real(at), vb = values.real(bt);
    const bool na = va != va, nb = vb != vb;
    if (na || nb) return na == nb ? a < b : na == (largest != 0);
    if (va == vb) return a < b;
    return (va > vb) == (largest != 0);
  }
  ISOCENTER_HD_CALL void exchange(std::int64_t i) const {
    const std::int64_t column = i / padded;
    const auto own = static_cast<std::int32_t>(i % padded);
    if (run == 0) {
      positions[i] = own;
      return;
    }
    const std::int32_t other = own ^ distance;
    if (other < own) return;  // the lower of the two does it
    const std::int64_t start = column / inner * extent * inner + column % inner;
    std::int32_t *low = positions + i, *high = positions + column * padded + other;
    const bool up = (own & run) == 0;
    if (before(start, *high, *low) == up) {
      const std::int32_t moved = *low;
      *low = *high;
      *high = moved;
    }
  }
};

/// The first `best` sorted positions of each column, as int64 (outer, best, inner).
struct SortedPositionsKernel {
  static constexpr const char* name = "infer/sorted_positions";
  const std::int32_t* positions;
  std::int64_t* out;
  std::int64_t count, inner, best;
  std::int32_t padded;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) {
      const std::int64_t j = i % inner, place = i / inner % best, column = i / inner / best * inner + j;
      out[i] = positions[column * padded + place];
    });
  }
};

}  // namespace isocenter::detail
