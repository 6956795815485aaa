#include "recon/fbp_filter.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/lane_math.hpp"

namespace isocenter::detail {

namespace {

constexpr int lanes = Pack8::width;
constexpr int group = fbp_filter_group;

using Row8 = Complex<float8>;

/// Row `line` of all: views and, within them, slices.
struct Line {
  int view, slice;
};
Line line_of(const FbpFilter& f, std::int64_t line) {
  return {static_cast<int>(line / f.stack.slices), static_cast<int>(line % f.stack.slices)};
}

/// Sixteen rows as they are read: their readings, their weights, and 1 for each that there is.
struct Sixteen {
  const float *row[group], *weight[group];
  float8 valid[2];

  /// The weights of rows `half` * 8 and on for one column, which may lie beyond the detector.
  ISOCENTER_HD float8 weights(int half, int column) const {
    float8 w;
    for (int k = 0; k < lanes; ++k) w[k] = weight[half * lanes + k][column];
    return w * valid[half];
  }
};

/// What the rows go on as beyond the detector's sides.
ISOCENTER_HD void extend_lines(const FbpFilter& f, const Sixteen& s, Row8* x) {
  const RowExtension& e = f.lines.extension;
  const int columns = f.lines.columns;
  for (const bool left : {true, false}) {
    if (!(left ? e.left : e.right)) continue;
    const int outermost = left ? 0 : columns - 1, outwards = left ? -1 : 1;
    const RowEdge<float8> a = row_edges<Pack8>(s.row, outermost, -outwards, columns),
                          b = row_edges<Pack8>(s.row + lanes, outermost, -outwards, columns);
    for (int over = 1; over <= e.columns; ++over) {
      const int i = outermost + outwards * over;
      const float8 away = float8{} + to_float(over);
      Row8& to = x[left ? f.length + i : f.lines.begin + i];
      to = {e.beyond(a, away) * s.weights(0, i), e.beyond(b, away) * s.weights(1, i)};
    }
  }
}

/// Sixteen rows from `first` on, turned so that one lane is one row, weighted and padded; rows past the end are zeros.
ISOCENTER_HD void load_lines(const FbpFilter& f, std::int64_t first, int count, Row8* x) {
  Sixteen s;
  for (int k = 0; k < group; ++k) {
    const Line l = line_of(f, first + std::min(k, count - 1));
    s.row[k] = f.lines.readings(l.view, l.slice);
    s.weight[k] = f.lines.weights_of(l.view);
    s.valid[k / lanes][k % lanes] = k < count ? 1.0F : 0.0F;
  }
  std::fill_n(x, f.lines.begin, Row8{});
  for (int i = 0; i < f.lines.columns; ++i) {
    float8 a, b;
    for (int k = 0; k < lanes; ++k) {
      a[k] = s.row[k][i];
      b[k] = s.row[k + lanes][i];
    }
    x[f.lines.begin + i] = {a * s.weights(0, i), b * s.weights(1, i)};
  }
  std::fill(x + f.lines.begin + f.lines.columns, x + f.length, Row8{});
  extend_lines(f, s, x);
}

/// Writes the rows and the zeros beside them.
ISOCENTER_HD void store_lines(const FbpFilter& f, std::int64_t first, int count, const Row8* x) {
  const FbpStack& s = f.stack;
  for (int k = 0; k < count; ++k) {
    const Line l = line_of(f, first + k);
    float* to = s.at(l.view, 0, l.slice);
    for (int i = -s.zeros_left; i < 0; ++i) to[static_cast<std::int64_t>(i) * s.column_stride] = 0.0F;
    for (int i = s.columns; i < s.columns + s.zeros_right; ++i)
      to[static_cast<std::int64_t>(i) * s.column_stride] = 0.0F;
    for (int i = 0; i < s.columns; ++i) {
      const float8& from = k < lanes ? x[i].re : x[i].im;
      to[static_cast<std::int64_t>(i) * s.column_stride] = from[k % lanes];
    }
  }
}

/// Returns whether the filtered rows are finite: what is not in one reading is not anywhere in its row.
ISOCENTER_HD bool filter_lines(const FbpFilter& f, std::int64_t first, int count, Row8* x) {
  load_lines(f, first, count, x);
  fft_forward(x, f.length, f.twiddles);
  for (std::int64_t k = 0; k < f.length; ++k) {
    x[k].re *= f.response[k];
    x[k].im *= f.response[k];
  }
  fft_backward(x, f.length, f.twiddles);
  store_lines(f, first, count, x);
  const float8 both = x[0].re + x[0].im, zero = both - both;  // NaN for NaN and for infinity
  return !any(zero != 0.0F);
}

bool filter_lines_base(const FbpFilter& f, std::int64_t first, int count, Row8* x) {
  return filter_lines(f, first, count, x);
}
#if defined(__x86_64__)
__attribute__((flatten, target("avx2"))) bool filter_lines_avx2(const FbpFilter& f, std::int64_t first, int count,
                                                                Row8* x) {
  return filter_lines(f, first, count, x);
}
#endif

std::int64_t bad_reading_of(const FbpFilter& f, std::int64_t first, int count) {
  std::int64_t largest = f.lines.place(line_of(f, first).view, line_of(f, first).slice);
  for (int k = 0; k < count; ++k) {
    const Line l = line_of(f, first + k);
    const std::int64_t begin = f.lines.place(l.view, l.slice);
    for (std::int64_t i = begin; i < begin + f.lines.columns; ++i) {
      if (!std::isfinite(f.lines.projections[i])) return i;
      if (std::fabs(f.lines.projections[i]) > std::fabs(f.lines.projections[largest])) largest = i;
    }
  }
  return largest;
}

}  // namespace

std::int64_t fbp_filter(const Launcher& launcher, const FbpFilter& filter, void* scratch) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const auto run = avx2 ? &filter_lines_avx2 : &filter_lines_base;
#else
  const auto run = &filter_lines_base;
#endif
  const std::int64_t lines = static_cast<std::int64_t>(filter.views) * filter.stack.slices;
  const std::int64_t jobs = (lines + group - 1) / group;
  const auto count_of = [&](std::int64_t job) {
    return static_cast<int>(std::min<std::int64_t>(group, lines - job * group));
  };
  std::atomic<std::int64_t> next{0}, first_bad{jobs};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      auto* x = reinterpret_cast<Row8*>(static_cast<char*>(scratch) +
                                        fbp_filter_scratch(filter.length) * static_cast<std::uint64_t>(slot));
      for (std::int64_t job = next++; job < jobs; job = next++) {
        if (run(filter, job * group, count_of(job), x)) continue;
        std::int64_t least = first_bad;
        while (job < least && !first_bad.compare_exchange_weak(least, job)) {
        }
      }
    }
  });
  return first_bad < jobs ? bad_reading_of(filter, first_bad * group, count_of(first_bad)) : -1;
}

}  // namespace isocenter::detail
