#include "recon/centre_search.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

namespace isocenter::detail {

namespace {

using Complex = std::complex<double>;
constexpr double pi = std::numbers::pi;
constexpr int most_frequencies = 256;  // periods of ten columns on 4000: enough for hundredths of a column

/// Frequencies k = 1 .. count of a row padded to twice its length: ω = 2π k / length.
struct Frequencies {
  int length, count;
  double omega(int k) const { return 2.0 * pi * k / length; }
};

Frequencies frequencies_of(const CentreData& d) { return {2 * d.columns, std::min(most_frequencies, d.columns / 2)}; }

int rows_that_count(const CentreData& d) { return (d.rows - d.first_row + d.row_step - 1) / d.row_step; }

/// spectra[n][k - 1] of one detector row.
void transform_row(const Launcher& threads, const CentreData& d, int row, const Frequencies& f, Complex* spectra) {
  parallel_for(threads, d.views, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float* from = d.values + (n * d.rows + row) * d.columns;
      for (int k = 1; k <= f.count; ++k) {
        const Complex turn = std::polar(1.0, -f.omega(k));
        Complex phase = 1.0, sum = 0.0;
        for (int u = 0; u < d.columns; ++u, phase *= turn) sum += static_cast<double>(from[u]) * phase;
        spectra[n * f.count + k - 1] = sum;
      }
    }
  });
}

/// Where cost(c) is least: the best of samples a quarter apart, refined by golden section.
template <class Cost>
double minimise(double low, double high, double step, const Cost& cost) {
  double best = low, least = cost(low);
  for (double c = low + step; c <= high; c += step)
    if (const double v = cost(c); v < least) least = v, best = c;
  constexpr double ratio = 0.6180339887498949;
  double a = best - step, b = best + step;
  double x = b - ratio * (b - a), y = a + ratio * (b - a), fx = cost(x), fy = cost(y);
  while (b - a > 1e-4) {
    if (fx < fy) {
      b = y, y = x, fy = fx;
      x = b - ratio * (b - a), fx = cost(x);
    } else {
      a = x, x = y, fx = fy;
      y = a + ratio * (b - a), fy = cost(y);
    }
  }
  return 0.5 * (a + b);
}

/// Least Re Σ_k products_k e^{2iωc}.
double least_of_products(const Frequencies& f, const Complex* products, double low, double high) {
  return minimise(low, high, 0.25, [&](double c) {
    double sum = 0.0;
    for (int k = 1; k <= f.count; ++k) sum += (products[k - 1] * std::polar(1.0, 2.0 * f.omega(k) * c)).real();
    return sum;
  });
}

}  // namespace

std::uint64_t centre_work_doubles(const CentreData& d) {
  const auto n = static_cast<std::uint64_t>(frequencies_of(d).count);
  return 2 * n * (static_cast<std::uint64_t>(d.views) + 1) + static_cast<std::uint64_t>(d.views);
}

double centre_of_half_turn(const Launcher& threads, const CentreData& d, double low, double high, double* work) {
  const Frequencies f = frequencies_of(d);
  auto* spectra = reinterpret_cast<Complex*>(work);
  Complex* products = spectra + static_cast<std::int64_t>(d.views) * f.count;
  std::fill_n(products, f.count, Complex{});
  // The farthest that a sample can be from the axis.
  const double radius = std::max(high, d.columns - 1 - low);
  for (int r = 0; r < rows_that_count(d); ++r) {
    transform_row(threads, d, d.first_row + r * d.row_step, f, spectra);
    parallel_for(threads, f.count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const int inside = static_cast<int>(std::ceil(f.omega(static_cast<int>(k) + 1) * radius)) + 1;
        for (int m = inside; m < d.views; ++m) {
          const Complex turn = std::polar(1.0, -pi * m / d.views);
          Complex phase = 1.0, up = 0.0, down = 0.0;
          for (int n = 0; n < d.views; ++n, phase *= turn) {
            const Complex g = spectra[n * f.count + k];
            up += g * phase;
            down += g * std::conj(phase);
          }
          products[k] += (m % 2 == 0 ? 1.0 : -1.0) * up * down;
        }
      }
    });
  }
  return least_of_products(f, products, low, high);
}

double centre_of_whole_turn(const Launcher& threads, const CentreData& d, double low, double high, double* work) {
  const Frequencies f = frequencies_of(d);
  auto* spectra = reinterpret_cast<Complex*>(work);
  Complex* products = spectra + static_cast<std::int64_t>(d.views) * f.count;
  std::fill_n(products, f.count, Complex{});
  for (int r = 0; r < rows_that_count(d); ++r) {
    transform_row(threads, d, d.first_row + r * d.row_step, f, spectra);
    for (int n = 0; n < d.views / 2; ++n)
      for (int k = 0; k < f.count; ++k)
        products[k] -= spectra[n * f.count + k] * spectra[(n + d.views / 2) * f.count + k];
  }
  return least_of_products(f, products, low, high);
}

double centre_of_fan(const Launcher& threads, const CentreData& d, double columns_per_distance, double along,
                     double low, double high, double* work, double* disagreement) {
  const double views_per_rad = d.views / (2.0 * pi);
  const auto view = [&](std::int64_t n) {
    return d.values + (((n % d.views + d.views) % d.views) * d.rows + d.first_row) * d.columns;
  };
  // Cubic along the columns of one view.
  const auto sample = [&](std::int64_t n, double u) {
    const auto i = static_cast<int>(std::floor(u));
    const float* p = view(n);
    return catmull_rom<double>(p[i - 1], p[i], p[i + 1], p[i + 2], u - i);
  };
  const auto cost_of_view = [&](std::int64_t n, double c, double* count) {
    double sum = 0.0;
    for (int u = 0; u < d.columns; ++u) {
      const double there = 2.0 * c - u;
      if (there < 1.0 || there >= d.columns - 2) continue;
      const double gamma = std::atan((u - c) / columns_per_distance);
      const double place = static_cast<double>(n) + 0.5 * d.views - along * 2.0 * gamma * views_per_rad;
      const auto m = static_cast<std::int64_t>(std::floor(place));
      const double other = catmull_rom(sample(m - 1, there), sample(m, there), sample(m + 1, there),
                                       sample(m + 2, there), place - static_cast<double>(m));
      const double e = view(n)[u] - other;
      sum += e * e;
      *count += 1.0;
    }
    return sum;
  };
  const int stride = std::max(1, d.views / 180);
  const int used = d.views / stride;
  const auto cost = [&](double c) {
    parallel_for(threads, used, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        double count = 0.0;
        const double sum = cost_of_view(i * stride, c, &count);
        work[i] = count > 0.0 ? sum / count : 0.0;
      }
    });
    double sum = 0.0;
    for (int i = 0; i < used; ++i) sum += work[i];
    return sum / used;
  };
  const double centre = minimise(low, high, 0.5, cost);
  *disagreement = std::sqrt(cost(centre));
  return centre;
}

}  // namespace isocenter::detail
