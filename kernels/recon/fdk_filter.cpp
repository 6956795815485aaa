#include "recon/fdk_filter.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/lane_math.hpp"

namespace isocenter::detail {

namespace {

constexpr int lanes = Pack8::width;
constexpr int group = 2 * lanes;  // rows filtered at once: eight as real parts, eight as imaginary parts

using Row8 = Complex<float8>;

/// Loads `group` rows from `first` on, transposed and weighted; rows past the end are zeros.
ISOCENTER_HD void load_rows(const FdkFilter& f, int n, int first, Row8* x) {
  const FdkViewWeight& w = f.weights[n];
  const int columns = f.stack.columns, rows = f.stack.rows;
  const float* view = f.projections + f.order[n] * columns * rows;
  const float* row[group];
  float valid[group];
  for (int k = 0; k < group; ++k) {
    row[k] = view + static_cast<std::int64_t>(std::min(first + k, rows - 1)) * columns;
    valid[k] = first + k < rows ? w.weight : 0.0F;
  }
  const float8 v0 = (to_float(Pack8::iota(first)) - w.centre_row) * w.row_slope;
  const float8 v1 = (to_float(Pack8::iota(first + lanes)) - w.centre_row) * w.row_slope;
  const float8 base0 = 1.0F + v0 * v0, base1 = 1.0F + v1 * v1;
  const float8 weight0 = load(Pack8{}, valid), weight1 = load(Pack8{}, valid + lanes);
  for (int i = 0; i < columns; ++i) {
    const float u = (to_float(i) - w.centre_column) * w.column_slope;
    float8 a, b;
    for (int k = 0; k < lanes; ++k) {
      a[k] = row[k][i];
      b[k] = row[k + lanes][i];
    }
    x[i].re = a * (weight0 * inverse_sqrt(base0 + u * u));
    x[i].im = b * (weight1 * inverse_sqrt(base1 + u * u));
  }
  std::memset(static_cast<void*>(x + columns), 0, static_cast<std::size_t>(f.length - columns) * sizeof(Row8));
}

ISOCENTER_HD void filter_group(const FdkFilter& f, int n, int first, Row8* x) {
  load_rows(f, n, first, x);
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
}

void filter_group_base(const FdkFilter& f, int n, int first, Row8* x) { filter_group(f, n, first, x); }
#if defined(__x86_64__)
__attribute__((flatten, target("avx2"))) void filter_group_avx2(const FdkFilter& f, int n, int first, Row8* x) {
  filter_group(f, n, first, x);
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

}  // namespace

void fdk_filter(const Launcher& launcher, const FdkFilter& filter, void* scratch) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const auto run = avx2 ? &filter_group_avx2 : &filter_group_base;
#else
  const auto run = &filter_group_base;
#endif
  const int groups = (filter.stack.rows + group - 1) / group;
  const std::int64_t jobs = static_cast<std::int64_t>(groups) * filter.views;
  std::atomic<std::int64_t> next{0};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      auto* x = static_cast<Row8*>(scratch) + slot * filter.length;
      for (std::int64_t job = next++; job < jobs; job = next++) {
        const int n = static_cast<int>(job / groups), first = static_cast<int>(job % groups) * group;
        if (first == 0) clear_pads(filter.stack, n);
        run(filter, n, first, x);
      }
    }
  });
}

}  // namespace isocenter::detail
