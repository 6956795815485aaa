#pragma once
// Random numbers from a counter: the draw for element i depends on the seed and on i alone, so that the result is the
// same for any number of threads and any order.
#include <cmath>
#include <cstdint>

namespace isocenter::detail {

/// Philox4x32-10: four 32-bit numbers from a 128-bit counter and a 64-bit key.
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11, section 3.3 and figure 4b.
struct Philox {
  std::uint32_t key[2];
  std::uint32_t counter[4];

  Philox(std::uint64_t seed, std::uint64_t index)
      : key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter{0, 0, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)} {}

  void block(std::uint32_t out[4]) {
    std::uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53U} * x[0], b = std::uint64_t{0xCD9E8D57U} * x[2];
      const std::uint32_t y[4] = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(b),
                                  static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(a)};
      for (int i = 0; i < 4; ++i) x[i] = y[i];
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    for (int i = 0; i < 4; ++i) out[i] = x[i];
    if (++counter[0] == 0) ++counter[1];
  }

  /// The next number in (0, 1), with 53 bits.
  double uniform() {
    if (left_ == 0) {
      block(words_);
      left_ = 2;
    }
    --left_;
    const std::uint64_t bits = (std::uint64_t{words_[2 * left_]} << 32 | words_[2 * left_ + 1]) >> 11;
    return (static_cast<double>(bits) + 0.5) * 0x1p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

 private:
  std::uint32_t words_[4] = {};
  int left_ = 0;
};

/// ln k! for whole k >= 0: Stirling's series from 16 on (error below 1e-12); std::lgamma would write a global.
inline double log_factorial(double k) {
  if (k < 16.0) {
    double product = 1.0;
    for (double i = 2.0; i <= k; i += 1.0) product *= i;
    return std::log(product);
  }
  const double r = 1.0 / (k * k);
  return (k + 0.5) * std::log(k) - k + 0.91893853320467274 +
         (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / k;
}

/// A Poisson number with this mean (0 <= mean <= 1e9). Below 10 by multiplying uniforms (Knuth, The Art of Computer
/// Programming 2, 3.4.1), else by transformed rejection with squeeze, PTRS: Hörmann, "The transformed rejection method
/// for generating Poisson random variables", Insurance: Mathematics and Economics 12 (1993) 39, algorithm PTRS.
inline double poisson(double mean, Philox& random) {
  if (mean <= 0.0) return 0.0;
  if (mean < 10.0) {
    const double limit = std::exp(-mean);
    double k = 0.0;
    for (double product = random.uniform(); product > limit; product *= random.uniform()) k += 1.0;
    return k;
  }
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2.0);
  const double log_mean = std::log(mean);
  for (;;) {
    const double u = random.uniform() - 0.5, v = random.uniform(), u_s = 0.5 - std::fabs(u);
    const double k = std::floor((2.0 * a / u_s + b) * u + mean + 0.43);
    if (u_s >= 0.07 && v <= v_r) return k;
    if (k < 0.0 || (u_s < 0.013 && v > u_s)) continue;
    if (std::log(v * inverse_alpha / (a / (u_s * u_s) + b)) <= k * log_mean - mean - log_factorial(k)) return k;
  }
}

}  // namespace isocenter::detail
