#pragma once
// Windows that slide and products, for every element type and for weights that are no constants: a thread for each
// element of the output, sums in float64 (products of integers in int64).
#include "infer/exact_functions.hpp"

namespace isocenter::detail {

/// Up to three spatial axes as (d, h, w), missing ones of extent 1 in front.
struct ExactWindow {
  std::int64_t from[3], to[3], kernel[3], strides[3], dilations[3], pads_begin[3], pads_end[3];

  ISOCENTER_HD std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  ISOCENTER_HD std::int64_t pixels() const { return from[0] * from[1] * from[2]; }
  ISOCENTER_HD std::int64_t points() const { return to[0] * to[1] * to[2]; }
  /// Places of a flat position, of extents e.
  static ISOCENTER_HD void unravel(std::int64_t i, const std::int64_t* e, std::int64_t* at) {
    at[2] = i % e[2];
    at[1] = i / e[2] % e[1];
    at[0] = i / e[2] / e[1];
  }
  ISOCENTER_HD std::int64_t pixel(const std::int64_t* at) const { return (at[0] * from[1] + at[1]) * from[2] + at[2]; }
  /// The place that a tap reads for a point of the output; false outside.
  ISOCENTER_HD bool place(const std::int64_t* point, const std::int64_t* tap, std::int64_t* at) const {
    bool inside = true;
    for (int s = 0; s < 3; ++s) {
      at[s] = point[s] * strides[s] - pads_begin[s] + tap[s] * dilations[s];
      inside = inside && at[s] >= 0 && at[s] < from[s];
    }
    return inside;
  }
  /// The same for a transposed convolution: out = in * stride - begin + tap * dilation, solved for in.
  ISOCENTER_HD bool source(const std::int64_t* point, const std::int64_t* tap, std::int64_t* at) const {
    bool inside = true;
    for (int s = 0; s < 3; ++s) {
      const std::int64_t v = point[s] + pads_begin[s] - tap[s] * dilations[s];
      at[s] = v / strides[s];
      inside = inside && v >= 0 && v % strides[s] == 0 && at[s] < from[s];
    }
    return inside;
  }
};

/// Inputs dense as (n, c, spatial...); weights (out, in / groups, taps), transposed (in, out / groups, taps).
struct ExactConvolutionKernel {
  static constexpr const char* name = "infer/exact_convolution";
  ElementSource x, weights, bias, residual;  ///< the last two may have no data
  ElementTarget out;
  ExactWindow window;
  std::int64_t count;
  std::int64_t ins, outs, groups;
  infer::Function then;
  float then_alpha, then_beta;
  int transposed;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int column, int row, int) const {
    each_column<Lanes>(column, row, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    const std::int64_t points = window.points(), pixels = window.pixels(), taps = window.taps();
    const std::int64_t o = i / points % outs, n = i / points / outs;
    const std::int64_t outs_g = outs / groups, ins_g = ins / groups, group = o / outs_g;
    std::int64_t point[3], tap[3], at[3];
    ExactWindow::unravel(i % points, window.to, point);
    double sum = bias.data != nullptr ? bias.real(o) : 0.0;
    for (std::int64_t t = 0; t < taps; ++t) {
      ExactWindow::unravel(t, window.kernel, tap);
      if (!(transposed != 0 ? window.source(point, tap, at) : window.place(point, tap, at))) continue;
      const std::int64_t pixel = window.pixel(at);
      for (std::int64_t q = 0; q < ins_g; ++q) {
        const std::int64_t channel = group * ins_g + q;
        const std::int64_t w = transposed != 0 ? channel * outs_g + o % outs_g : o * ins_g + q;
        sum += x.real((n * ins + channel) * pixels + pixel) * weights.real(w * taps + t);
      }
    }
    if (residual.data != nullptr) sum += residual.real(i);
    if (then != infer::Function::identity)
      sum = detail::apply_real(then, static_cast<double>(then_alpha), static_cast<double>(then_beta), sum, 0, 0);
    out.real(i, sum);
  }
};

struct ExactPoolKernel {
  static constexpr const char* name = "infer/exact_pool";
  ElementSource in;
  ElementTarget out;
  ExactWindow window;
  std::int64_t count;
  int average, count_pads;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    const std::int64_t plane = i / window.points() * window.pixels(), taps = window.taps();
    std::int64_t point[3], tap[3], at[3], inside = 0, counted = 0;
    ExactWindow::unravel(i % window.points(), window.to, point);
    double acc = average != 0 ? 0.0 : -static_cast<double>(INFINITY);
    for (std::int64_t t = 0; t < taps; ++t) {
      ExactWindow::unravel(t, window.kernel, tap);
      const bool in_data = window.place(point, tap, at);
      bool in_pads = true;
      for (int s = 0; s < 3; ++s) in_pads = in_pads && at[s] < window.from[s] + window.pads_end[s];
      counted += in_pads ? 1 : 0;
      if (!in_data) continue;
      const double v = in.real(plane + window.pixel(at));
      acc = average != 0 ? acc + v : (v > acc || v != v ? v : acc);
      ++inside;
    }
    if (average != 0) acc /= static_cast<double>(count_pads != 0 ? counted : (inside > 0 ? inside : 1));
    out.real(i, acc);
  }
};

/// For each window of a maximum pool the place of its maximum, counted through the whole input; of equal ones the
/// first.
struct MaxPositionsKernel {
  static constexpr const char* name = "infer/max_positions";
  ElementSource in;
  ElementTarget out;
  ExactWindow window;
  std::int64_t count;
  int column_major;  ///< the first spatial axis fastest

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    const std::int64_t plane = i / window.points() * window.pixels(), taps = window.taps();
    std::int64_t point[3], tap[3], at[3], where = 0;
    ExactWindow::unravel(i % window.points(), window.to, point);
    double best = -static_cast<double>(INFINITY);
    for (std::int64_t t = 0; t < taps; ++t) {
      ExactWindow::unravel(t, window.kernel, tap);
      if (!window.place(point, tap, at)) continue;
      const double v = in.real(plane + window.pixel(at));
      if (v <= best) continue;
      best = v;
      where =
          plane + (column_major != 0 ? (at[2] * window.from[1] + at[1]) * window.from[0] + at[0] : window.pixel(at));
    }
    out.whole(i, where);
  }
};

/// Sums of columns (n, c * taps, blocks) where they came from; `steps` windows along each axis.
struct ColumnsToImageKernel {
  static constexpr const char* name = "infer/columns_to_image";
  ElementSource in;
  ElementTarget out;
  ExactWindow window;  ///< `to` is the image
  std::int64_t steps[3];
  std::int64_t count;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    const std::int64_t plane = i / window.points(), taps = window.taps(), blocks = steps[0] * steps[1] * steps[2];
    std::int64_t point[3], tap[3];
    ExactWindow::unravel(i % window.points(), window.to, point);
    double sum = 0;
    for (std::int64_t t = 0; t < taps; ++t) {
      ExactWindow::unravel(t, window.kernel, tap);
      std::int64_t block = 0;
      bool inside = true;
      for (int s = 0; s < 3; ++s) {
        const std::int64_t v = point[s] + window.pads_begin[s] - tap[s] * window.dilations[s];
        inside = inside && v >= 0 && v % window.strides[s] == 0 && v / window.strides[s] < steps[s];
        block = block * steps[s] + v / window.strides[s];
      }
      if (inside) sum += in.real((plane * taps + t) * blocks + block);
    }
    out.real(i, sum);
  }
};

/// Batched products over the last two axes; which matrix of a and b a batch takes is given by steps along its axes.
struct ExactProductKernel {
  static constexpr const char* name = "infer/exact_product";
  ElementSource a, b, bias;  ///< the bias may have no data
  ElementTarget out;
  Extents batch;
  std::int64_t step_a[most_axes], step_b[most_axes];  ///< in elements
  std::int64_t count, m, n, k;
  int transpose_a, transpose_b;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t at) const {
    const std::int64_t j = at % n, i = at / n % m;
    std::int64_t rest = at / n / m, first_a = 0, first_b = 0;
    for (int axis = batch.axes; axis-- > 0;) {
      first_a += rest % batch.at[axis] * step_a[axis];
      first_b += rest % batch.at[axis] * step_b[axis];
      rest /= batch.at[axis];
    }
    const bool whole = out.form.is_whole(), has_bias = bias.data != nullptr;
    double sum = !whole && has_bias ? bias.real(j) : 0.0;
    std::uint64_t exact = whole && has_bias ? static_cast<std::uint64_t>(bias.whole(j)) : 0;
    for (std::int64_t q = 0; q < k; ++q) {
      const std::int64_t in_a = first_a + (transpose_a != 0 ? q * m + i : i * k + q);
      const std::int64_t in_b = first_b + (transpose_b != 0 ? j * k + q : q * n + j);
      if (whole)
        exact += static_cast<std::uint64_t>(a.whole(in_a)) * static_cast<std::uint64_t>(b.whole(in_b));
      else
        sum += a.real(in_a) * b.real(in_b);
    }
    if (whole)
      out.whole(at, wrap(exact));
    else
      out.real(at, sum);
  }
};

/// Separable interpolation along any axes: see Resample (graph.hpp).
struct ExactResampleKernel {
  static constexpr const char* name = "infer/exact_resample";
  ElementSource in;
  ElementTarget out;
  const std::int32_t* indices[most_axes];
  const float* weights[most_axes];
  std::int64_t taps[most_axes];  ///< 0: the axis stays as it is
  std::int64_t in_step[most_axes];
  Extents extents;  ///< of the output
  std::int64_t count;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    each_column<Lanes>(x, y, count, [this](std::int64_t i) { compute(i); });
  }

 private:
  ISOCENTER_HD_CALL void compute(std::int64_t i) const {
    std::int64_t at[most_axes] = {}, rest = i, combinations = 1;
    for (int k = extents.axes; k-- > 0;) {
      at[k] = rest % extents.at[k];
      rest /= extents.at[k];
      if (taps[k] > 0) combinations *= taps[k];
    }
    double sum = 0;
    for (std::int64_t t = 0; t < combinations; ++t) {
      std::int64_t which = t, from = 0;
      double weight = 1;
      for (int k = extents.axes; k-- > 0;) {
        std::int64_t p = at[k];
        if (taps[k] > 0) {
          const std::int64_t tap = at[k] * taps[k] + which % taps[k];
          which /= taps[k];
          p = indices[k][tap];
          weight *= static_cast<double>(weights[k][tap]);
        }
        from += p * in_step[k];
      }
      if (weight != 0.0) sum += weight * in.real(from);
    }
    out.real(i, sum);
  }
};

}  // namespace isocenter::detail
