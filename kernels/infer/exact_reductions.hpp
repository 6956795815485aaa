#pragma once
// What sums up along axes, for every element type: one thread for each result or column.
#include "infer/exact_functions.hpp"

namespace isocenter::detail {

enum class Reducing : std::int32_t {
  sum,
  mean,
  max,
  min,
  product,
  sum_squares,
  sum_abs,
  log_sum_exp,
  arg_max,
  arg_min
};

/// One value for each element of the output, whose axes of extent 1 are those that are reduced.
struct ExactReduceKernel {
  static constexpr const char* name = "infer/exact_reduce";
  ElementSource in;
  ElementTarget out;
  Extents kept, reduced;
  std::int64_t kept_step[most_axes], reduced_step[most_axes];  ///< in the input
  std::int64_t count;                                          ///< of results
  std::int64_t terms;                                          ///< that each sums up
  Reducing kind;
  int last_index;  ///< of equal ones the last

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { reduce(i); });
  }

 private:
  static ISOCENTER_HD std::int64_t place(std::int64_t i, const Extents& e, const std::int64_t* step) {
    std::int64_t at = 0;
    for (int k = e.axes; k-- > 0;) {
      at += i % e.at[k] * step[k];
      i /= e.at[k];
    }
    return at;
  }
  struct State {
    double value = 0, shift = 0;
    std::int64_t whole = 0, best = 0;
  };
  ISOCENTER_HD void add(State& s, std::int64_t n, double v, std::int64_t exact) const {
    const bool first = n == 0;
    switch (kind) {
      case Reducing::sum:
      case Reducing::mean:
        s.value += v;
        s.whole = wrap(static_cast<std::uint64_t>(s.whole) + static_cast<std::uint64_t>(exact));
        return;
      case Reducing::product:
        s.value = first ? v : s.value * v;
        s.whole = first ? exact : wrap(static_cast<std::uint64_t>(s.whole) * static_cast<std::uint64_t>(exact));
        return;
      case Reducing::sum_squares:
        s.value += v * v;
        s.whole = wrap(static_cast<std::uint64_t>(s.whole) +
                       static_cast<std::uint64_t>(exact) * static_cast<std::uint64_t>(exact));
        return;
      case Reducing::sum_abs:
        s.value += fabs(v);
        s.whole = wrap(static_cast<std::uint64_t>(s.whole) +
                       (exact < 0 ? 0 - static_cast<std::uint64_t>(exact) : static_cast<std::uint64_t>(exact)));
        return;
      case Reducing::log_sum_exp:
        if (first || v > s.shift) {
          s.value = first ? 1.0 : s.value * exp(s.shift - v) + 1.0;
          s.shift = v;
        } else {
          s.value += exp(v - s.shift);
        }
        return;
      case Reducing::max:
      case Reducing::min:
        if (!first && !(kind == Reducing::max ? v > s.value : v < s.value) && v == v) return;
        s.value = v;
        s.whole = exact;
        return;
      default:
        if (!first && !(kind == Reducing::arg_max ? v > s.value : v < s.value) && !(last_index != 0 && v == s.value))
          return;
        s.value = v;
        s.best = n;
    }
  }
  ISOCENTER_HD_CALL void reduce(std::int64_t i) const {
    const std::int64_t start = place(i, kept, kept_step);
    const bool whole = in.form.is_whole();
    State s;
    for (std::int64_t n = 0; n < terms; ++n) {
      const std::int64_t at = start + place(n, reduced, reduced_step);
      add(s, n, in.real(at), whole ? in.whole(at) : 0);
    }
    if (kind >= Reducing::arg_max) return out.whole(i, s.best);
    const auto infinity = static_cast<double>(INFINITY);
    if (kind == Reducing::log_sum_exp) return out.real(i, terms == 0 ? -infinity : log(s.value) + s.shift);
    if (kind == Reducing::mean) return out.real(i, s.value / static_cast<double>(terms));
    if (terms == 0)
      return out.real(i, kind == Reducing::product
                             ? 1
                             : (kind == Reducing::max ? -infinity : (kind == Reducing::min ? infinity : 0)));
    if (!out.form.is_whole()) return out.real(i, s.value);
    out.whole(i, s.whole);
  }
};

/// Softmax, or its logarithm, along one axis of (outer, extent, inner): a thread for each column.
struct ExactSoftmaxKernel {
  static constexpr const char* name = "infer/exact_softmax";
  ElementSource in;
  ElementTarget out;
  std::int64_t columns, inner, extent;
  int logarithm;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, columns, [this](std::int64_t c) { column(c); });
  }

 private:
  ISOCENTER_HD_CALL void column(std::int64_t c) const {
    const std::int64_t start = c / inner * extent * inner + c % inner;
    double top = -static_cast<double>(INFINITY), sum = 0;
    for (std::int64_t i = 0; i < extent; ++i) {
      const double v = in.real(start + i * inner);
      top = v > top ? v : top;
    }
    for (std::int64_t i = 0; i < extent; ++i) sum += exp(in.real(start + i * inner) - top);
    for (std::int64_t i = 0; i < extent; ++i) {
      const double d = in.real(start + i * inner) - top;
      out.real(start + i * inner, logarithm != 0 ? d - log(sum) : exp(d) / sum);
    }
  }
};

/// Running sums along one axis of (outer, extent, inner).
struct ExactCumulativeSumKernel {
  static constexpr const char* name = "infer/exact_cumulative_sum";
  ElementSource in;
  ElementTarget out;
  std::int64_t columns, inner, extent;
  int exclusive, reverse;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, columns, [this](std::int64_t c) { column(c); });
  }

 private:
  ISOCENTER_HD_CALL void column(std::int64_t c) const {
    const std::int64_t start = c / inner * extent * inner + c % inner;
    const bool whole = out.form.is_whole();
    double sum = 0;
    std::uint64_t exact = 0;
    for (std::int64_t step = 0; step < extent; ++step) {
      const std::int64_t at = start + (reverse != 0 ? extent - 1 - step : step) * inner;
      const double before = sum;
      const std::uint64_t exactly_before = exact;
      if (whole)
        exact += static_cast<std::uint64_t>(in.whole(at));
      else
        sum += in.real(at);
      if (whole)
        out.whole(at, wrap(exclusive != 0 ? exactly_before : exact));
      else
        out.real(at, exclusive != 0 ? before : sum);
    }
  }
};

/// Each of `groups` runs of `size` elements brought to mean 0 and variance 1 (+ epsilon), then scaled and shifted by
/// channel, of which there are `channels` with `pixels` elements each.
struct ExactNormaliseKernel {
  static constexpr const char* name = "infer/exact_normalise";
  ElementSource in, scale, shift;
  ElementTarget out;
  std::int64_t groups, size, pixels, channels;
  float epsilon;
  infer::Function then;
  float then_alpha, then_beta;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, groups, [this](std::int64_t g) { group(g); });
  }

 private:
  ISOCENTER_HD_CALL void group(std::int64_t g) const {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < size; ++i) sum += in.real(g * size + i);
    const double mean = sum / static_cast<double>(size);
    for (std::int64_t i = 0; i < size; ++i) {
      const double d = in.real(g * size + i) - mean;
      squares += d * d;
    }
    const double factor = 1.0 / sqrt(squares / static_cast<double>(size) + static_cast<double>(epsilon));
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t c = (g * size + i) / pixels % channels;
      double v = (in.real(g * size + i) - mean) * factor * scale.real(c) + shift.real(c);
      if (then != infer::Function::identity)
        v = detail::apply_real(then, static_cast<double>(then_alpha), static_cast<double>(then_beta), v, 0, 0);
      out.real(g * size + i, v);
    }
  }
};

}  // namespace isocenter::detail
