#pragma once
// A power-of-two complex Fourier transform of V numbers at once, where V is a float, a double or a pack of floats: one
// lane is one detector row, so every operation is a full register and none of them shuffles.
//
// Decimation in frequency forward (natural order in, digit-reversed out), decimation in time back (digit-reversed in,
// natural out): filtering needs no reordering, only a filter stored in the digit-reversed order. Radix 4 with one
// radix-2 pass where log2(n) is odd: Cooley and Tukey, Math. Comp. 19 (1965) 297; Gentleman and Sande, AFIPS 29 (1966)
// 563.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/lanes.hpp"

namespace isocenter::detail {

template <class V>
struct Complex {
  V re, im;
};

/// Numbers in the twiddle table of length n: three factors for each butterfly of each radix-4 pass, one for radix 2.
constexpr std::int64_t fft_twiddle_count(std::int64_t n) {
  std::int64_t count = 0;
  bool odd = false;
  for (std::int64_t m = n; m > 1; m /= 2) odd = !odd;
  if (odd) count += n / 2, n /= 2;
  for (; n >= 4; n /= 4) count += 3 * (n / 4);
  return count;
}

constexpr bool fft_starts_with_radix2(std::int64_t n) {
  bool odd = false;
  for (; n > 1; n /= 2) odd = !odd;
  return odd;
}

/// Fills fft_twiddle_count(n) factors e^{-2πi jk/n}, in the order of their use by the forward transform.
template <class T>
void fft_fill_twiddles(std::int64_t n, Complex<T>* table) {
  const auto factor = [](std::int64_t k, std::int64_t length) {
    const double angle = -2.0 * 3.14159265358979323846 * static_cast<double>(k) / static_cast<double>(length);
    return Complex<T>{static_cast<T>(std::cos(angle)), static_cast<T>(std::sin(angle))};
  };
  if (fft_starts_with_radix2(n)) {
    for (std::int64_t j = 0; j < n / 2; ++j) *table++ = factor(j, n);
    n /= 2;
  }
  for (; n >= 4; n /= 4)
    for (std::int64_t j = 0; j < n / 4; ++j)
      for (std::int64_t m = 1; m <= 3; ++m) *table++ = factor(m * j, n);
}

/// Which frequency (0 .. n-1) stands at a position after the forward transform.
constexpr std::int64_t fft_frequency_at(std::int64_t position, std::int64_t n) {
  std::int64_t frequency = 0, step = 1;
  for (std::int64_t length = n; length > 1;) {
    const std::int64_t radix = length == n && fft_starts_with_radix2(n) ? 2 : 4;
    const std::int64_t part = length / radix;
    frequency += step * (position / part);
    position %= part;
    step *= radix;
    length = part;
  }
  return frequency;
}

template <class V, class T>
ISOCENTER_HD Complex<V> multiplied(const Complex<V>& a, const Complex<T>& w) {
  return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}
template <class V, class T>
ISOCENTER_HD Complex<V> multiplied_conjugate(const Complex<V>& a, const Complex<T>& w) {
  return {a.re * w.re + a.im * w.im, a.im * w.re - a.re * w.im};
}

/// In place; n a power of two, at least 2. T is the twiddles' type (float, or double for V = double).
template <class V, class T>
ISOCENTER_HD void fft_forward(Complex<V>* x, std::int64_t n, const Complex<T>* w) {
  std::int64_t length = n;
  if (fft_starts_with_radix2(n)) {
    const std::int64_t half = n / 2;
    for (std::int64_t j = 0; j < half; ++j) {
      const Complex<V> a = x[j], b = x[j + half];
      x[j] = {a.re + b.re, a.im + b.im};
      x[j + half] = multiplied(Complex<V>{a.re - b.re, a.im - b.im}, w[j]);
    }
    w += half;
    length = half;
  }
  for (; length >= 4; length /= 4) {
    const std::int64_t q = length / 4;
    for (Complex<V>* block = x; block < x + n; block += length)
      for (std::int64_t j = 0; j < q; ++j) {
        const Complex<V> a = block[j], b = block[j + q], c = block[j + 2 * q], d = block[j + 3 * q];
        const Complex<V> ac{a.re + c.re, a.im + c.im}, a_c{a.re - c.re, a.im - c.im};
        const Complex<V> bd{b.re + d.re, b.im + d.im}, b_d{b.im - d.im, d.re - b.re};  // -i (b - d)
        block[j] = {ac.re + bd.re, ac.im + bd.im};
        block[j + q] = multiplied(Complex<V>{a_c.re + b_d.re, a_c.im + b_d.im}, w[3 * j]);
        block[j + 2 * q] = multiplied(Complex<V>{ac.re - bd.re, ac.im - bd.im}, w[3 * j + 1]);
        block[j + 3 * q] = multiplied(Complex<V>{a_c.re - b_d.re, a_c.im - b_d.im}, w[3 * j + 2]);
      }
    w += 3 * q;
  }
}

/// The inverse of fft_forward, times n.
template <class V, class T>
ISOCENTER_HD void fft_backward(Complex<V>* x, std::int64_t n, const Complex<T>* twiddles) {
  const bool radix2 = fft_starts_with_radix2(n);
  const std::int64_t quads = radix2 ? n / 2 : n;
  const Complex<T>* w = twiddles + fft_twiddle_count(n);
  for (std::int64_t length = 4; length <= quads; length *= 4) {
    const std::int64_t q = length / 4;
    w -= 3 * q;
    for (Complex<V>* block = x; block < x + n; block += length)
      for (std::int64_t j = 0; j < q; ++j) {
        const Complex<V> a = block[j], b = multiplied_conjugate(block[j + q], w[3 * j]),
                         c = multiplied_conjugate(block[j + 2 * q], w[3 * j + 1]),
                         d = multiplied_conjugate(block[j + 3 * q], w[3 * j + 2]);
        const Complex<V> ac{a.re + c.re, a.im + c.im}, a_c{a.re - c.re, a.im - c.im};
        const Complex<V> bd{b.re + d.re, b.im + d.im}, b_d{d.im - b.im, b.re - d.re};  // i (b - d)
        block[j] = {ac.re + bd.re, ac.im + bd.im};
        block[j + q] = {a_c.re + b_d.re, a_c.im + b_d.im};
        block[j + 2 * q] = {ac.re - bd.re, ac.im - bd.im};
        block[j + 3 * q] = {a_c.re - b_d.re, a_c.im - b_d.im};
      }
  }
  if (radix2) {
    const std::int64_t half = n / 2;
    for (std::int64_t j = 0; j < half; ++j) {
      const Complex<V> a = x[j], b = multiplied_conjugate(x[j + half], twiddles[j]);
      x[j] = {a.re + b.re, a.im + b.im};
      x[j + half] = {a.re - b.re, a.im - b.im};
    }
  }
}

}  // namespace isocenter::detail
