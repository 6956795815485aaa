#include "recon/structural_similarity.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace isocenter::detail {

namespace {

constexpr std::int64_t reach = 5;

const std::array<double, reach + 1>& window() {
  static const std::array<double, reach + 1> weights = [] {
    std::array<double, reach + 1> w{};
    for (std::int64_t i = 0; i <= reach; ++i)
      w[static_cast<std::size_t>(i)] = std::exp(-static_cast<double>(i * i) / (2.0 * 1.5 * 1.5));
    return w;
  }();
  return weights;
}
double weight_at(std::int64_t distance) { return window()[static_cast<std::size_t>(std::abs(distance))]; }

/// Weighted sums of a, b, a², b² and ab.
struct Moments {
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
};

double index_of(const Moments& m, double c1, double c2) {
  const double variance_a = std::max(m.aa - m.a * m.a, 0.0), variance_b = std::max(m.bb - m.b * m.b, 0.0);
  const double above = (2 * m.a * m.b + c1) * (2 * (m.ab - m.a * m.b) + c2);
  const double below = (m.a * m.a + m.b * m.b + c1) * (variance_a + variance_b + c2);
  return below == 0.0 ? 1.0 : above / below;
}

/// The index's sum and the number of voxels of one slice; `row` has the moments of a row of windows' columns.
void sum_slice(const float* volume, const float* truth, std::int64_t nx, std::int64_t ny, std::int64_t z,
               const ErrorRegion& region, double vacuum, double range, Moments* row, double* sum, double* count) {
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  *sum = *count = 0.0;
  if (!slice_in_region(region, z)) return;
  for (std::int64_t y = 0; y < ny; ++y) {
    const RowSpan span = row_in_region(region, nx, y);
    if (span.first > span.last) continue;
    const std::int64_t from = std::max<std::int64_t>(0, span.first - reach);
    const std::int64_t to = std::min(nx - 1, span.last + reach);
    std::fill(row + from, row + to + 1, Moments{});
    double down = 0.0;
    for (std::int64_t j = std::max<std::int64_t>(0, y - reach); j <= std::min(ny - 1, y + reach); ++j) {
      const double w = weight_at(j - y);
      down += w;
      const float *a = volume + (z * ny + j) * nx, *b = truth + (z * ny + j) * nx;
      for (std::int64_t x = from; x <= to; ++x) {
        const double p = a[x] - vacuum, q = b[x] - vacuum;
        row[x].a += w * p;
        row[x].b += w * q;
        row[x].aa += w * p * p;
        row[x].bb += w * q * q;
        row[x].ab += w * p * q;
      }
    }
    for (std::int64_t x = span.first; x <= span.last; ++x) {
      Moments m;
      double across = 0.0;
      for (std::int64_t i = std::max<std::int64_t>(0, x - reach); i <= std::min(nx - 1, x + reach); ++i) {
        const double w = weight_at(i - x);
        across += w;
        m.a += w * row[i].a;
        m.b += w * row[i].b;
        m.aa += w * row[i].aa;
        m.bb += w * row[i].bb;
        m.ab += w * row[i].ab;
      }
      const double scale = 1.0 / (down * across);
      *sum += index_of({m.a * scale, m.b * scale, m.aa * scale, m.bb * scale, m.ab * scale}, c1, c2);
      *count += 1.0;
    }
  }
}

}  // namespace

double structural_similarity(const Launcher& threads, const float* volume, const float* truth, std::int64_t nx,
                             std::int64_t ny, std::int64_t nz, const ErrorRegion& region, double vacuum, double range,
                             double* scratch) {
  auto* rows = reinterpret_cast<Moments*>(scratch);
  static_assert(sizeof(Moments) == 5 * sizeof(double));
  double* sums = scratch + nz * nx * 5;
  parallel_for(threads, nz, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z)
      sum_slice(volume, truth, nx, ny, z, region, vacuum, range, rows + z * nx, sums + 2 * z, sums + 2 * z + 1);
  });
  double sum = 0.0, count = 0.0;
  for (std::int64_t z = 0; z < nz; ++z) {
    sum += sums[2 * z];
    count += sums[2 * z + 1];
  }
  return sum / count;
}

}  // namespace isocenter::detail
