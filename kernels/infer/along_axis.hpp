#pragma once
// What runs along one axis of dense float32 data, a column at a time: the best positions, their values, running sums.
// Data are (outer, extent, inner); a column is one (outer, inner). x and y count columns, 32 in a row.
#include "core/lanes.hpp"

namespace isocenter::detail {

inline constexpr int columns_in_row = 32;

/// Calls the kernel for each column of this thread or register that there is.
template <class Lanes, class Column>
ISOCENTER_HD void each_column(int x, int y, std::int64_t columns, Column column) {
  for (int k = 0; k < Lanes::width; ++k) {
    const std::int64_t at = static_cast<std::int64_t>(y) * columns_in_row + x + k;
    if (at < columns) column(at);
  }
}

/// The positions of the `count` largest or smallest, the best first, the lower position first where equal; NaN counts
/// as larger than all. A heap in the output itself keeps the best so far, its worst on top.
struct TopPositionsKernel {
  static constexpr const char* name = "infer/top_positions";
  const float* in;
  std::int64_t* out;
  std::int64_t columns, inner;
  int extent, count, largest;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, columns, [this](std::int64_t c) { find(c); });
  }

 private:
  struct Column {
    const float* values;
    std::int64_t* heap;
    std::int64_t inner;
    bool largest;
    ISOCENTER_HD bool before(std::int64_t a, std::int64_t b) const {
      const float va = values[a * inner], vb = values[b * inner];
      const bool na = va != va, nb = vb != vb;
      if (na || nb) return na == nb ? a < b : na == largest;
      if (va == vb) return a < b;
      return (va > vb) == largest;
    }
    ISOCENTER_HD void sink(std::int64_t at, std::int64_t size) const {
      const std::int64_t moved = heap[at * inner];
      for (std::int64_t child = 2 * at + 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && before(heap[child * inner], heap[(child + 1) * inner])) ++child;
        if (!before(moved, heap[child * inner])) break;
        heap[at * inner] = heap[child * inner];
        at = child;
      }
      heap[at * inner] = moved;
    }
  };

  ISOCENTER_HD void find(std::int64_t c) const {
    const std::int64_t o = c / inner, j = c % inner;
    const Column column{in + o * extent * inner + j, out + o * count * inner + j, inner, largest != 0};
    for (std::int64_t i = 0; i < count; ++i) column.heap[i * inner] = i;
    for (std::int64_t i = count / 2; i-- > 0;) column.sink(i, count);
    for (std::int64_t i = count; i < extent; ++i)
      if (column.before(i, column.heap[0])) {
        column.heap[0] = i;
        column.sink(0, count);
      }
    for (std::int64_t size = count - 1; size > 0; --size) {
      const std::int64_t worst = column.heap[0];
      column.heap[0] = column.heap[size * inner];
      column.heap[size * inner] = worst;
      column.sink(0, size);
    }
  }
};

/// The values at positions that a kernel found, which therefore lie inside: in (outer, extent, inner), the positions
/// and the output (outer, count, inner).
struct TakePositionsKernel {
  static constexpr const char* name = "infer/take_positions";
  const float* in;
  const std::int64_t* positions;
  float* out;
  std::int64_t columns, inner;
  int extent, count;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, columns, [this](std::int64_t c) {
      const std::int64_t o = c / inner, j = c % inner;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = (o * count + i) * inner + j;
        out[at] = in[(o * extent + positions[at]) * inner + j];
      }
    });
  }
};

/// Running sums, in float64 inside.
struct CumulativeSumKernel {
  static constexpr const char* name = "infer/cumulative_sum";
  const float* in;
  float* out;
  std::int64_t columns, inner;
  int extent, exclusive, reverse;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, columns, [this](std::int64_t c) {
      const std::int64_t start = c / inner * extent * inner + c % inner;
      double sum = 0;
      for (int step = 0; step < extent; ++step) {
        const std::int64_t at = start + (reverse != 0 ? extent - 1 - step : step) * inner;
        const double v = static_cast<double>(in[at]);
        out[at] = static_cast<float>(exclusive != 0 ? sum : sum + v);
        sum += v;
      }
    });
  }
};

}  // namespace isocenter::detail
