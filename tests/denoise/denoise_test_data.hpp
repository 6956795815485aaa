#pragma once
#include <cmath>
#include <isocenter/isocenter.hpp>
#include <random>
#include <vector>

namespace isocenter::testing {

inline std::vector<float> noise(std::int64_t n, float sigma, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, sigma);
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = normal(generator);
  return v;
}

/// A ball of value 1 that holds a smaller one of 0.5 and a thin plate of 0.75, in air of 0: n³ voxels.
inline std::vector<float> balls(int n) {
  std::vector<float> v(static_cast<std::size_t>(n) * n * n);
  const float c = 0.5F * static_cast<float>(n - 1);
  for (int z = 0, i = 0; z < n; ++z)
    for (int y = 0; y < n; ++y)
      for (int x = 0; x < n; ++x, ++i) {
        const float dx = static_cast<float>(x) - c, dy = static_cast<float>(y) - c, dz = static_cast<float>(z) - c;
        const float r = std::sqrt(dx * dx + dy * dy + dz * dz) / c;
        const float inner = std::hypot(std::hypot(dx - 0.2F * c, dy), dz) / c;
        v[static_cast<std::size_t>(i)] = r > 0.85F                     ? 0.0F
                                         : inner < 0.3F                ? 0.5F
                                         : std::abs(dx + 0.5F * c) < 1 ? 0.75F
                                                                       : 1.0F;
      }
  return v;
}

/// Decibel, for values of range 0 to 1.
template <class A, class B>
double psnr(const A& a, const B& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return -10.0 * std::log10(sum / static_cast<double>(a.size()));
}

template <class A, class B>
double largest_difference(const A& a, const B& b) {
  double most = a.size() == b.size() ? 0.0 : 1e30;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(d <= most)) most = d;
  }
  return most;
}

inline std::vector<float> values_of(const Payload& p) {
  const auto v = Volume(p).values();
  return {v.begin(), v.end()};
}

}  // namespace isocenter::testing
