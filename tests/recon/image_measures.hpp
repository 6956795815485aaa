#pragma once
// Resolution and noise of an image: the modulation transfer function from a disc's edge, the noise power spectrum.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace isocenter::testing {

/// Square pixels of one slice, x fastest, centred on the isocentre.
struct PixelGrid {
  std::int64_t n = 0;
  double spacing_mm = 1;
  double position_mm(std::int64_t i) const {
    return (static_cast<double>(i) - 0.5 * static_cast<double>(n - 1)) * spacing_mm;
  }
};

inline double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

/// The magnitude of the Fourier transform of an edge's derivative, 1 at frequency 0: of the means sum / count in bins
/// of bin_mm from -reach_mm to reach_mm, differences under a Hann window. What bins and differences take away is
/// divided out.
inline std::vector<double> mtf_of_edge(std::span<const double> sum, std::span<const double> count, double bin_mm,
                                       double reach_mm, std::span<const double> frequencies) {
  std::vector<std::pair<double, double>> edge;  // distance, mean; empty bins are passed over
  for (std::size_t b = 0; b < sum.size(); ++b)
    if (count[b] > 0) edge.emplace_back((static_cast<double>(b) + 0.5) * bin_mm - reach_mm, sum[b] / count[b]);
  std::vector<double> mtf;
  const auto magnitude = [&](double f) {
    double re = 0.0, im = 0.0;
    for (std::size_t b = 1; b < edge.size(); ++b) {
      const double at = 0.5 * (edge[b].first + edge[b - 1].first);
      const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * at / reach_mm);
      const double step = window * (edge[b].second - edge[b - 1].second), phase = 2.0 * std::numbers::pi * f * at;
      re += step * std::cos(phase);
      im += step * std::sin(phase);
    }
    return std::hypot(re, im);
  };
  const double at_zero = magnitude(0.0);
  for (const double f : frequencies) mtf.push_back(magnitude(f) / at_zero / (sinc(f * bin_mm) * sinc(f * bin_mm)));
  return mtf;
}

/// The modulation transfer function at `frequencies` (1/mm) from the edge of a disc of another value: pixels within
/// `reach_mm` of the edge, sorted into bins of a tenth of a pixel by their distance from the disc's centre (so that the
/// edge is oversampled), and mtf_of_edge (Judy, Med. Phys. 3 (1976) 233; circular edge: Richard et al., Med. Phys. 39
/// (2012) 4115).
inline std::vector<double> edge_mtf(std::span<const float> values, const PixelGrid& grid, double x_mm, double y_mm,
                                    double radius_mm, double reach_mm, std::span<const double> frequencies) {
  const double bin_mm = 0.1 * grid.spacing_mm;
  const auto bins = static_cast<std::size_t>(2.0 * reach_mm / bin_mm);
  std::vector<double> sum(bins), count(bins);
  for (std::int64_t j = 0; j < grid.n; ++j)
    for (std::int64_t i = 0; i < grid.n; ++i) {
      const double r = std::hypot(grid.position_mm(i) - x_mm, grid.position_mm(j) - y_mm);
      const double bin = (r - radius_mm + reach_mm) / bin_mm;
      if (bin < 0.0 || bin >= static_cast<double>(bins)) continue;
      sum[static_cast<std::size_t>(bin)] += values[static_cast<std::size_t>(j * grid.n + i)];
      count[static_cast<std::size_t>(bin)] += 1;
    }
  return mtf_of_edge(sum, count, bin_mm, reach_mm, frequencies);
}

/// The same from a ball's edge in a volume of cubic voxels, centred on the isocentre: of the voxels within 15 degrees
/// of its equator (across the axis) or within 25 degrees of its poles (`along` the axis).
inline std::vector<double> ball_mtf(std::span<const float> values, const std::array<std::int64_t, 3>& n,
                                    double spacing_mm, const std::array<double, 3>& centre_mm, double radius_mm,
                                    double reach_mm, bool along, std::span<const double> frequencies) {
  const double bin_mm = 0.1 * spacing_mm;
  const auto bins = static_cast<std::size_t>(2.0 * reach_mm / bin_mm);
  std::vector<double> sum(bins), count(bins);
  const PixelGrid x{n[0], spacing_mm}, y{n[1], spacing_mm}, z{n[2], spacing_mm};
  std::size_t at = 0;
  for (std::int64_t k = 0; k < n[2]; ++k)
    for (std::int64_t j = 0; j < n[1]; ++j)
      for (std::int64_t i = 0; i < n[0]; ++i, ++at) {
        const double height = z.position_mm(k) - centre_mm[2];
        const double r = std::hypot(x.position_mm(i) - centre_mm[0], y.position_mm(j) - centre_mm[1], height);
        const double sine = std::fabs(height) / r;
        if (along ? sine < std::cos(25 * std::numbers::pi / 180) : sine > std::sin(15 * std::numbers::pi / 180))
          continue;
        const double bin = (r - radius_mm + reach_mm) / bin_mm;
        if (bin < 0.0 || bin >= static_cast<double>(bins)) continue;
        sum[static_cast<std::size_t>(bin)] += values[at];
        count[static_cast<std::size_t>(bin)] += 1;
      }
  return mtf_of_edge(sum, count, bin_mm, reach_mm, frequencies);
}

/// Where the transfer function first falls to this value, 1/mm; by steps of a hundredth of the pixels' Nyquist
/// frequency.
inline double mtf_frequency(std::span<const float> values, const PixelGrid& grid, double x_mm, double y_mm,
                            double radius_mm, double reach_mm, double value) {
  std::vector<double> f;
  for (int k = 0; k <= 100; ++k) f.push_back(0.005 * k / grid.spacing_mm);
  const std::vector<double> mtf = edge_mtf(values, grid, x_mm, y_mm, radius_mm, reach_mm, f);
  for (std::size_t k = 1; k < f.size(); ++k)
    if (mtf[k] < value) return f[k - 1] + (f[k] - f[k - 1]) * (mtf[k - 1] - value) / (mtf[k - 1] - mtf[k]);
  return f.back();
}

/// The noise power spectrum of a zero-mean square of m × m pixels, its mean over rings of frequency of width 1 / (m
/// spacing): |DFT|² spacing² / (sum of the squared taper), with a half sine along both axes as taper, which keeps the
/// power of strong frequencies from the weak ones (Siewerdsen, Cunningham and Jaffray, Med. Phys. 29 (2002) 2655). Ring
/// k is at frequency k / (m spacing), to the Nyquist frequency; value² · mm².
inline std::vector<double> noise_power(std::span<const double> square, std::int64_t m, double spacing_mm) {
  const auto size = static_cast<std::size_t>(m);
  std::vector<double> cosine(size), sine(size), taper(size), re(size * size), im(size * size);
  for (std::size_t k = 0; k < size; ++k) {
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(m);
    cosine[k] = std::cos(angle);
    sine[k] = std::sin(angle);
    taper[k] = std::sin(std::numbers::pi * (static_cast<double>(k) + 0.5) / static_cast<double>(m));
  }
  // i k modulo size as i goes on by one.
  const auto next = [size](std::size_t turn, std::size_t k) { return turn + k < size ? turn + k : turn + k - size; };
  for (std::size_t j = 0; j < size; ++j)  // along rows
    for (std::size_t k = 0; k < size; ++k)
      for (std::size_t i = 0, turn = 0; i < size; ++i, turn = next(turn, k)) {
        const double value = taper[j] * taper[i] * square[j * size + i];
        re[j * size + k] += value * cosine[turn];
        im[j * size + k] -= value * sine[turn];
      }
  std::vector<double> sum(size / 2 + 1), count(size / 2 + 1);
  for (std::size_t k = 0; k < size; ++k)  // down columns
    for (std::size_t l = 0; l < size; ++l) {
      const double fx = static_cast<double>(std::min(k, size - k)), fy = static_cast<double>(std::min(l, size - l));
      const auto ring = static_cast<std::size_t>(std::lround(std::hypot(fx, fy)));
      if (ring >= sum.size()) continue;
      double a = 0.0, b = 0.0;
      for (std::size_t j = 0, turn = 0; j < size; ++j, turn = next(turn, l)) {
        const double c = cosine[turn], s = sine[turn], p = re[j * size + k], q = im[j * size + k];
        a += p * c + q * s;
        b += q * c - p * s;
      }
      sum[ring] += a * a + b * b;
      count[ring] += 1;
    }
  for (std::size_t k = 0; k < sum.size(); ++k)
    sum[k] *=
        spacing_mm * spacing_mm / (0.25 * static_cast<double>(m * m) * count[k]);  // the taper's mean square is 1/4
  return sum;
}

}  // namespace isocenter::testing
