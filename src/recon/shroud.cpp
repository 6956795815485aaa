#include "recon/shroud.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

void make_shroud(const Launcher& threads, const ShroudScan& scan, float* shroud) {
  parallel_for(threads, scan.views, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float* view = scan.projections + n * scan.rows * scan.columns;
      shroud[n] = shroud[static_cast<std::int64_t>(scan.rows - 1) * scan.views + n] = 0.0F;
      for (int j = 1; j + 1 < scan.rows; ++j) {
        const float* above = view + static_cast<std::int64_t>(scan.rows_upwards ? j + 1 : j - 1) * scan.columns;
        const float* below = view + static_cast<std::int64_t>(scan.rows_upwards ? j - 1 : j + 1) * scan.columns;
        double sum = 0.0;
        for (int i = 0; i < scan.columns; ++i) sum += static_cast<double>(std::max(below[i] - above[i], 0.0F));
        shroud[static_cast<std::int64_t>(j) * scan.views + n] = static_cast<float>(sum);
      }
    }
  });
}

namespace {

/// Mean square of after[j + shift] - before[j] over the rows that both have.
double disagreement(const double* before, const double* after, int rows, int shift) {
  const int first = std::max(1, 1 - shift), behind = std::min(rows - 1, rows - 1 - shift);
  double sum = 0.0;
  for (int j = first; j < behind; ++j) sum += (after[j + shift] - before[j]) * (after[j + shift] - before[j]);
  return sum / std::max(behind - first, 1);
}

}  // namespace

void shroud_motion(const float* shroud, int views, int rows, bool rows_upwards, int reach, double* signal,
                   double* work) {
  double *before = work, *after = work + rows;
  const auto take = [&](int n, double* to) {
    for (int j = 0; j < rows; ++j) to[j] = static_cast<double>(shroud[static_cast<std::int64_t>(j) * views + n]);
  };
  take(0, before);
  signal[0] = 0.0;
  for (int n = 1; n < views; ++n) {
    take(n, after);
    int best = 0;
    double least = disagreement(before, after, rows, 0);
    for (int shift = -reach; shift <= reach; ++shift)
      if (const double d = disagreement(before, after, rows, shift); d < least) least = d, best = shift;
    const double low = disagreement(before, after, rows, best - 1), high = disagreement(before, after, rows, best + 1);
    const double curve = low - 2.0 * least + high;
    const double moved = best + (curve > 0.0 ? std::clamp(0.5 * (low - high) / curve, -0.5, 0.5) : 0.0);
    signal[n] = signal[n - 1] + (rows_upwards ? -moved : moved);
    std::swap(before, after);
  }
}

void take_moving_mean(std::span<double> values, int window, bool away, double* work) {
  const int count = static_cast<int>(values.size());
  work[0] = 0.0;
  for (int n = 0; n < count; ++n) work[n + 1] = work[n] + values[static_cast<std::size_t>(n)];
  for (int n = 0; n < count; ++n) {
    const int first = std::max(0, n - window / 2), behind = std::min(count, n + window / 2 + 1);
    const double mean = (work[behind] - work[first]) / (behind - first);
    double& value = values[static_cast<std::size_t>(n)];
    value = away ? value - mean : mean;
  }
}

}  // namespace isocenter::detail
