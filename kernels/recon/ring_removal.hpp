#pragma once
// Stripes in sinograms, which become rings: each column's values are sorted over the views, neighbouring columns are
// made alike at equal rank, and every value goes back to its view. Vo, Atwood and Drakopoulos, "Superior techniques for
// eliminating ring artifacts in X-ray micro-tomography", Optics Express 26 (2018) 28396, section 3.2 (algorithm 3).
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// Sorts the views of each pixel of some detector rows, with the view that each value came from. Batcher's network for
/// any number (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M), so that all lanes do the same. Launched
/// over columns × rows of the part.
struct RingSort {
  static constexpr const char* name = "recon/ring_sort";
  const float* in;  ///< the part's first row
  float* value;     ///< views × rows of the part × columns, ascending along the views
  float* view;      ///< the same shape
  std::int64_t pixels;
  int columns, rows, views;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = static_cast<std::int64_t>(y) * columns + x;
    const std::int64_t step = static_cast<std::int64_t>(rows) * columns;
    for (int n = 0; n < views; ++n) {
      store(value + n * step + at, load(lanes, in + n * pixels + at));
      store(view + n * step + at, Float{} + static_cast<float>(n));
    }
    int top = 1;
    while (2 * top < views) top *= 2;
    for (int p = top; p > 0; p /= 2) {
      int r = 0, d = p;
      for (int q = top;; q /= 2) {
        for (int i = 0; i + d < views; ++i)
          if ((i & p) == r) exchange(lanes, i * step + at, (i + d) * step + at);
        if (q == p) break;
        d = q - p;
        r = p;
      }
    }
  }

 private:
  template <class Lanes>
  ISOCENTER_HD void exchange(Lanes lanes, std::int64_t a, std::int64_t b) const {
    const auto low = load(lanes, value + a), high = load(lanes, value + b);
    const auto from_low = load(lanes, view + a), from_high = load(lanes, view + b);
    const auto turn = low > high;
    store(value + a, select(turn, high, low));
    store(value + b, select(turn, low, high));
    store(view + a, select(turn, from_high, from_low));
    store(view + b, select(turn, from_low, from_high));
  }
};

/// Writes the median over `window` columns of equal rank to the view that the value came from; beyond the detector's
/// border the outermost column counts again. Launched over columns × views × rows of the part.
struct RingSmooth {
  static constexpr const char* name = "recon/ring_smooth";
  static constexpr int widest = 41;
  const float* value;
  const float* view;
  float* out;  ///< the part's first row
  std::int64_t pixels;
  int columns, rows, window;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t line = (static_cast<std::int64_t>(y) * rows + z) * columns;
    Float v[widest];
    for (int i = 0; i < window; ++i)
      v[i] = gather(value + line, clamp(Lanes::iota(x) + (i - window / 2), 0, columns - 1));
    // The largest of what is left moves to the end, until the median is the largest.
    for (int last = window - 1; last >= window / 2; --last)
      for (int i = 0; i < last; ++i) {
        const Float low = min(v[i], v[i + 1]), high = max(v[i], v[i + 1]);
        v[i] = low;
        v[i + 1] = high;
      }
    float median[Lanes::width];
    store(median, v[window / 2]);
    for (int k = 0; k < Lanes::width; ++k)
      out[to_int(view[line + x + k]) * pixels + static_cast<std::int64_t>(z) * columns + x + k] = median[k];
  }
};

}  // namespace isocenter::detail
