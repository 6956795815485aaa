#include "recon/fdk_filter.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

namespace isocenter::detail {

namespace {

constexpr int lanes = Pack8::width;
constexpr int group = fdk_filter_group;

using Row8 = Complex<float8>;

/// Sixteen rows before they are turned: where their readings are, and how they end.
struct Readings {
  const float* row[group];
  RowEdge<float8> left[2], right[2];
};

/// Finds the rows' readings, in the view itself or resampled into `buffer`; rows past the end repeat the last one.
ISOCENTER_HD void find_readings(const FdkFilter& f, int n, int first, float* buffer, Readings* found) {
  const FdkRows& r = f.rows;
  const int count = r.end - r.begin;
  for (int k = 0; k < group; ++k) {
    const int j = std::min(first + k, f.stack.rows - 1);
    if (r.rectification == nullptr) {
      found->row[k] = r.view(n) + static_cast<std::int64_t>(j + r.first_row) * r.raw_columns;
      continue;
    }
    float* row = buffer + k * fdk_readings_stride(count);
    for (int i = 0; i < count; i += lanes) store(row + i, r.resampled(Pack8{}, Pack8::iota(r.begin + i), j, n));
    found->row[k] = row;
  }
  for (int half = 0; half < 2; ++half) {
    if (r.extension.left) found->left[half] = row_edges<Pack8>(found->row + half * lanes, 0, 1, count);
    if (r.extension.right) found->right[half] = row_edges<Pack8>(found->row + half * lanes, count - 1, -1, count);
  }
}

/// Sixteen rows, turned so that one lane is one row, weighted and padded; rows past the end are zeros.
ISOCENTER_HD void load_rows(const FdkFilter& f, int n, int first, Row8* x, float* buffer) {
  const FdkRows& r = f.rows;
  const FdkViewWeight& w = r.weights[n];
  Readings found;
  find_readings(f, n, first, buffer, &found);
  const float8 row0 = to_float(Pack8::iota(first)), row1 = to_float(Pack8::iota(first + lanes));
  const float rows = to_float(f.stack.rows);
  const float8 valid0 = select(row0 < rows, float8{} + 1.0F, float8{}),
               valid1 = select(row1 < rows, float8{} + 1.0F, float8{});
  const bool oblique = w.table_shear != 0.0F || w.table_scale != 0.0F;
  const float* table = r.redundancy == nullptr ? nullptr : r.redundancy + r.redundancy_stride * n;
  // `i` may lie beyond the detector, where the table's last number goes on.
  const auto put = [&](int i, float8 a, float8 b) __attribute__((always_inline)) {
    Row8& to = x[i < 0 ? i + f.length : i];
    const float8 column = float8{} + to_float(i);
    to.re = a * (valid0 * r.weight_of(w, column, row0));
    to.im = b * (valid1 * r.weight_of(w, column, row1));
    if (table == nullptr) return;
    if (!oblique) {
      const float times = table[std::clamp(i, 0, r.columns - 1)];
      to.re *= times;
      to.im *= times;
      return;
    }
    for (int k = 0; k < lanes; ++k) {
      to.re[k] *= r.redundancy_at(to_float(i), first + k, n);
      to.im[k] *= r.redundancy_at(to_float(i), first + lanes + k, n);
    }
  };
  std::memset(static_cast<void*>(x), 0, static_cast<std::size_t>(r.begin) * sizeof(Row8));
  for (int i = r.begin; i < r.end; ++i) {
    float8 a, b;
    for (int k = 0; k < lanes; ++k) {
      a[k] = found.row[k][i - r.begin];
      b[k] = found.row[k + lanes][i - r.begin];
    }
    put(i, a, b);
  }
  std::memset(static_cast<void*>(x + r.end), 0, static_cast<std::size_t>(f.length - r.end) * sizeof(Row8));
  for (int over = 1; over <= r.extension.columns; ++over) {
    const float8 away = float8{} + to_float(over);
    if (r.extension.left)
      put(r.begin - over, r.extension.beyond(found.left[0], away), r.extension.beyond(found.left[1], away));
    if (r.extension.right)
      put(r.end - 1 + over, r.extension.beyond(found.right[0], away), r.extension.beyond(found.right[1], away));
  }
}

/// Returns whether the filtered rows are finite: what is not in one reading is not anywhere in its row.
ISOCENTER_HD bool filter_group(const FdkFilter& f, int n, int first, Row8* x, float* buffer) {
  load_rows(f, n, first, x, buffer);
  fft_forward(x, f.length, f.twiddles);
  for (std::int64_t k = 0; k < f.length; ++k) {
    x[k].re *= f.response[k];
    x[k].im *= f.response[k];
  }
  fft_backward(x, f.length, f.twiddles);
  // Rounding leaks between the two parts of a complex number: rows past the end are zeros again.
  const int8 inside0 = Pack8::iota(first) < f.stack.rows, inside1 = Pack8::iota(first + lanes) < f.stack.rows;
  for (int i = 0; i < f.stack.columns; ++i) {
    float* to = f.stack.column(n, i) + first;
    store(to, select(inside0, x[i].re, float8{}));
    store(to + lanes, select(inside1, x[i].im, float8{}));
  }
  const float8 both = x[0].re + x[0].im, zero = both - both;  // NaN for NaN and for infinity
  return !any(zero != 0.0F);
}

bool filter_group_base(const FdkFilter& f, int n, int first, Row8* x, float* buffer) {
  return filter_group(f, n, first, x, buffer);
}
#if defined(__x86_64__)
__attribute__((flatten, target("avx2"))) bool filter_group_avx2(const FdkFilter& f, int n, int first, Row8* x,
                                                                float* buffer) {
  return filter_group(f, n, first, x, buffer);
}
#endif

/// Zeros around a view.
void clear_pads(const FdkStack& stack, int n) {
  const auto stride = static_cast<std::size_t>(stack.row_stride);
  for (const int edge : {-1, stack.columns}) std::fill_n(stack.column(n, edge) - FdkStack::pad, stride, 0.0F);
  for (int i = 0; i < stack.columns; ++i) {
    float* column = stack.column(n, i) - FdkStack::pad;
    std::fill_n(column, FdkStack::pad, 0.0F);
    std::fill_n(column + stride - FdkStack::pad, FdkStack::pad, 0.0F);
  }
}

std::int64_t bad_reading_of(const FdkRows& rows, int n) {
  const std::int64_t count = static_cast<std::int64_t>(rows.raw_rows) * rows.raw_columns;
  return rows.order[n] * count + fdk_bad_reading(rows.view(n), count);
}

}  // namespace

std::int64_t fdk_bad_reading(const float* view, std::int64_t count) {
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(view[i])) return i;
    if (std::fabs(view[i]) > std::fabs(view[found])) found = i;
  }
  return found;
}

std::int64_t fdk_filter(const Launcher& launcher, const FdkFilter& filter, void* scratch) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const auto run = avx2 ? &filter_group_avx2 : &filter_group_base;
#else
  const auto run = &filter_group_base;
#endif
  const int groups = (filter.stack.rows + group - 1) / group;
  const std::int64_t jobs = static_cast<std::int64_t>(groups) * filter.views;
  const bool rectified = filter.rows.rectification != nullptr;
  const std::uint64_t part =
      fdk_filter_scratch_of_thread(filter.length, filter.rows.end - filter.rows.begin, rectified);
  std::atomic<std::int64_t> next{0}, first_bad{jobs};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      char* own = static_cast<char*>(scratch) + part * static_cast<std::uint64_t>(slot);
      auto* x = reinterpret_cast<Row8*>(own);
      auto* buffer = reinterpret_cast<float*>(own + static_cast<std::uint64_t>(filter.length) * sizeof(Row8));
      for (std::int64_t job = next++; job < jobs; job = next++) {
        const int n = static_cast<int>(job / groups), first = static_cast<int>(job % groups) * group;
        if (first == 0) clear_pads(filter.stack, n);
        if (run(filter, n, first, x, buffer)) continue;
        std::int64_t least = first_bad;
        while (job < least && !first_bad.compare_exchange_weak(least, job)) {
        }
      }
    }
  });
  return first_bad < jobs ? bad_reading_of(filter.rows, static_cast<int>(first_bad / groups)) : -1;
}

}  // namespace isocenter::detail
