#include "jpeg2000_wavelet.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "always_inline.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr int strip = 16;  ///< columns that are transformed together

/// One lifting step: each of `count` elements of `to` with its two neighbours of the other kind, the first of which is
/// element first + i of `from`. Beyond its ends `from` is mirrored (F.3.7), which repeats its outermost element.
template <int width, class T, class F>
ISOCENTER_ALWAYS_INLINE void lift(T* __restrict to, std::int64_t count, const T* __restrict from, std::int64_t others,
                                  std::int64_t first, F f) {
  const auto at_border = [&](std::int64_t i) {
    const T* const a = from + std::clamp<std::int64_t>(first + i, 0, others - 1) * width;
    const T* const b = from + std::clamp<std::int64_t>(first + i + 1, 0, others - 1) * width;
    for (int k = 0; k < width; ++k) to[i * width + k] = f(to[i * width + k], a[k], b[k]);
  };
  const std::int64_t begin = std::min(count, -first), end = std::max(begin, std::min(count, others - 1 - first));
  for (std::int64_t i = 0; i < begin; ++i) at_border(i);
  const T* const a = from + first * width;
  for (std::int64_t i = begin * width; i < end * width; ++i) to[i] = f(to[i], a[i], a[i + width]);
  for (std::int64_t i = end; i < count; ++i) at_border(i);
}

/// F.3.8.2.1.1. Sums wrap round: a hostile codestream's may leave 32 bits.
struct Reversible {
  using T = std::int32_t;
  static T sum(T a, T b) { return static_cast<T>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b)); }
  static T alone(T odd) { return odd >> 1; }
  template <int width>
  static ISOCENTER_ALWAYS_INLINE void inverse(T* even, std::int64_t evens, T* odd, std::int64_t odds,
                                              std::int64_t parity) {
    lift<width>(even, evens, odd, odds, parity - 1, [](T e, T a, T b) { return sum(e, -(sum(sum(a, b), 2) >> 2)); });
    lift<width>(odd, odds, even, evens, -parity, [](T o, T a, T b) { return sum(o, sum(a, b) >> 1); });
  }
};

/// F.3.8.2.1.2 with the parameters of table F.4.
struct Irreversible {
  using T = float;
  static T alone(T odd) { return odd * 0.5F; }
  template <int width>
  static ISOCENTER_ALWAYS_INLINE void inverse(T* even, std::int64_t evens, T* odd, std::int64_t odds,
                                              std::int64_t parity) {
    constexpr T alpha = -1.586134342059924F, beta = -0.052980118572961F, gamma = 0.882911075530934F,
                delta = 0.443506852043971F, k = 1.230174104914001F;
    for (std::int64_t i = 0; i < evens * width; ++i) even[i] *= k;
    for (std::int64_t i = 0; i < odds * width; ++i) odd[i] *= 1.0F / k;
    lift<width>(even, evens, odd, odds, parity - 1, [](T e, T a, T b) { return e - delta * (a + b); });
    lift<width>(odd, odds, even, evens, -parity, [](T o, T a, T b) { return o - gamma * (a + b); });
    lift<width>(even, evens, odd, odds, parity - 1, [](T e, T a, T b) { return e - beta * (a + b); });
    lift<width>(odd, odds, even, evens, -parity, [](T o, T a, T b) { return o - alpha * (a + b); });
  }
};

/// F.3.5 and F.3.6: of lows and highs beside each other to samples one after the other.
template <class Kind>
struct Wavelet {
  using T = typename Kind::T;
  T* samples;
  std::int64_t stride;
  T* scratch;

  ISOCENTER_ALWAYS_INLINE void horizontal(std::int64_t x0, std::int64_t x1, std::int64_t rows) const {
    const std::int64_t parity = x0 & 1, count = x1 - x0, evens = (count + 1 - parity) / 2, odds = count - evens;
    for (std::int64_t y = 0; y < rows; ++y) {
      T* const row = samples + y * stride;
      if (count == 1) {
        if (parity == 1) *row = Kind::alone(*row);
        continue;
      }
      T* __restrict const even = scratch;
      T* __restrict const odd = scratch + evens;
      std::copy_n(row, count, scratch);
      Kind::template inverse<1>(even, evens, odd, odds, parity);
      const T* const firsts = parity == 0 ? even : odd;
      const T* const seconds = parity == 0 ? odd : even;
      const std::int64_t pairs = count / 2;
      for (std::int64_t i = 0; i < pairs; ++i) {
        row[2 * i] = firsts[i];
        row[2 * i + 1] = seconds[i];
      }
      if (count % 2 != 0) row[count - 1] = firsts[pairs];
    }
  }

  ISOCENTER_ALWAYS_INLINE void vertical(std::int64_t y0, std::int64_t y1, std::int64_t columns) const {
    const std::int64_t parity = y0 & 1, count = y1 - y0, evens = (count + 1 - parity) / 2, odds = count - evens;
    if (count == 1) {
      if (parity == 1)
        for (std::int64_t x = 0; x < columns; ++x) samples[x] = Kind::alone(samples[x]);
      return;
    }
    T* const even = scratch;
    T* const odd = scratch + evens * strip;
    for (std::int64_t x = 0; x < columns; x += strip) {
      // Rows are wide enough for a whole strip: what lies behind the last column is nobody's.
      for (std::int64_t y = 0; y < count; ++y) std::copy_n(samples + y * stride + x, strip, scratch + y * strip);
      Kind::template inverse<strip>(even, evens, odd, odds, parity);
      const auto n = static_cast<std::size_t>(std::min<std::int64_t>(strip, columns - x)) * sizeof(T);
      for (std::int64_t y = 0; y < count; ++y) {
        const T* const from = ((y ^ parity) & 1) == 0 ? even : odd;
        T* const row = samples + y * stride + x;
        if (n == strip * sizeof(T))
          std::memcpy(row, from + y / 2 * strip, strip * sizeof(T));
        else
          std::memcpy(row, from + y / 2 * strip, n);
      }
    }
  }

  ISOCENTER_ALWAYS_INLINE void all(const J2kTileComponent& component) const {
    for (std::size_t r = 1; r < component.resolutions.size(); ++r) {
      const J2kRect& area = component.resolutions[r].area;
      if (area.empty()) continue;
      horizontal(area.x0, area.x1, area.height());
      vertical(area.y0, area.y1, area.width());
    }
  }
};

template <class Kind>
ISOCENTER_ALWAYS_INLINE void all_levels(const J2kTileComponent& component, typename Kind::T* samples,
                                        std::int64_t stride) {
  std::vector<typename Kind::T> scratch(
      static_cast<std::size_t>(std::max(component.area.width(), component.area.height() * strip)));
  Wavelet<Kind>{samples, stride, scratch.data()}.all(component);
}

#if defined(__x86_64__)
template <class Kind>
__attribute__((flatten, target("avx2"))) void all_levels_avx2(const J2kTileComponent& component,
                                                              typename Kind::T* samples, std::int64_t stride) {
  all_levels<Kind>(component, samples, stride);
}
#endif

template <class Kind>
void dispatch(const J2kTileComponent& component, typename Kind::T* samples, std::int64_t stride) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  if (avx2) return all_levels_avx2<Kind>(component, samples, stride);
#endif
  all_levels<Kind>(component, samples, stride);
}

}  // namespace

void inverse_wavelet_53(const J2kTileComponent& component, std::int32_t* samples, std::int64_t stride) {
  dispatch<Reversible>(component, samples, stride);
}
void inverse_wavelet_97(const J2kTileComponent& component, float* samples, std::int64_t stride) {
  dispatch<Irreversible>(component, samples, stride);
}

}  // namespace isocenter::detail::dicom
