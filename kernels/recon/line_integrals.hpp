#pragma once
// From a detector's raw counts to line integrals: what the dark and flat frames say about each pixel, which pixels are
// defective and from which neighbours they are repaired, and the logarithm.
#include "core/lane_math.hpp"

namespace isocenter::detail {

/// Mean and standard deviation (n - 1) of each pixel over frames. Launched over columns × rows.
struct FrameStatistics {
  static constexpr const char* name = "recon/frame_statistics";
  const float* frames;
  float* mean;
  float* deviation;
  std::int64_t pixels;
  int columns, count;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = static_cast<std::int64_t>(y) * columns + x;
    const Float first = load(lanes, frames + at);
    Float sum = Float{}, squares = Float{};
    for (int n = 1; n < count; ++n) sum += load(lanes, frames + n * pixels + at) - first;
    const Float m = first + sum * (1.0F / static_cast<float>(count));
    for (int n = 0; n < count; ++n) {
      const Float d = load(lanes, frames + n * pixels + at) - m;
      squares += d * d;
    }
    store(mean + at, m);
    store(deviation + at, square_root(squares * (1.0F / static_cast<float>(count > 1 ? count - 1 : 1))));
  }
};

/// Gain of each pixel and what is wrong with it: 0 nothing; 1 it is in the given map; 2 flat - dark is far from its
/// neighbours', not positive, or not a number; 3 its dark value takes too much of the range; 4 its dark frames differ
/// much more among each other than its neighbours'; 5 its flat frames are all the same. All from comparisons with the
/// median of the 9 × 3 pixels around it (at the detector's border the window is moved inwards). Null pointers leave out
/// what they belong to. Launched over columns × rows.
struct DetectorResponse {
  static constexpr const char* name = "recon/detector_response";
  static constexpr int across = 9, down = 3;
  const float* dark;
  const float* dark_deviation;  ///< null: too few frames
  const float* flat;            ///< null: all pixels see open_beam
  const float* flat_deviation;  ///< null: too few frames
  const float* given;           ///< != 0 is defective
  float* gain;                  ///< 1 / (flat - dark), 0 where defective
  float* defects;               ///< 0 to 5 as above
  int columns, rows;
  float dark_value;  ///< where `dark` is null
  float open_beam;   ///< where `flat` is null: flat - dark
  float response_tolerance, offset_tolerance, noise_factor;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int) const {
    using Float = typename Lanes::Float;
    using Int = typename Lanes::Int;
    const std::int64_t at = static_cast<std::int64_t>(y) * columns + x;
    const Float zero = Float{};
    const Float net = net_at(y * columns + Lanes::iota(x));
    Float code = zero;
    if (flat_deviation != nullptr) {
      const Float typical = median(lanes, x, y, [&](Int i) { return gather(flat_deviation, i); });
      const Float own = load(lanes, flat_deviation + at);
      code = select(own > 0.0F, code, select(typical > 0.0F, zero + 5.0F, code));
    }
    if (dark_deviation != nullptr) {
      const Float typical = median(lanes, x, y, [&](Int i) { return gather(dark_deviation, i); });
      const Float own = load(lanes, dark_deviation + at);
      code = select(own > typical * noise_factor, select(typical > 0.0F, zero + 4.0F, code), code);
    }
    if (flat != nullptr) {
      const Float typical = median(lanes, x, y, [&](Int i) { return net_at(i); });
      if (dark != nullptr) {
        const Float usual = median(lanes, x, y, [&](Int i) { return gather(dark, i); });
        const Float off = load(lanes, dark + at) - usual;
        code = select(max(off, 0.0F - off) > typical * offset_tolerance, zero + 3.0F, code);
      }
      const Float wrong = zero + 2.0F;
      code = select(net > 1e-30F,
                    select(net >= typical * (1.0F - response_tolerance),
                           select(net <= typical * (1.0F + response_tolerance), code, wrong), wrong),
                    wrong);
    }
    if (given != nullptr) code = select(load(lanes, given + at) == 0.0F, code, zero + 1.0F);
    store(defects + at, code);
    store(gain + at, select(code == 0.0F, 1.0F / net, zero));
  }

 private:
  template <class Int>
  ISOCENTER_HD auto net_at(Int i) const {
    const auto none = to_float(i) * 0.0F;
    const auto low = dark != nullptr ? gather(dark, i) : none + dark_value;
    return flat != nullptr ? gather(flat, i) - low : none + open_beam;
  }

  /// The median of value(pixel) over the window around each lane's pixel.
  template <class Lanes, class Value>
  ISOCENTER_HD typename Lanes::Float median(Lanes, int x, int y, const Value& value) const {
    using Float = typename Lanes::Float;
    constexpr int size = across * down;
    const auto x0 = clamp(Lanes::iota(x) - across / 2, 0, max(columns - across, 0));
    const int y0 = clamp(y - down / 2, 0, max(rows - down, 0));
    Float v[size];
    for (int j = 0; j < down; ++j)
      for (int i = 0; i < across; ++i)
        v[j * across + i] = value(clamp(y0 + j, 0, rows - 1) * columns + clamp(x0 + i, 0, columns - 1));
    // The largest of what is left moves to the end, until the median is the largest.
    for (int last = size - 1; last >= size / 2; --last)
      for (int i = 0; i < last; ++i) {
        const Float low = min(v[i], v[i + 1]), high = max(v[i], v[i + 1]);
        v[i] = low;
        v[i + 1] = high;
      }
    return v[size / 2];
  }
};

/// For each defective pixel how far its nearest good ones are: left, right, up, down; 0: there is none. Launched over
/// columns × rows.
struct DefectNeighbours {
  static constexpr const char* name = "recon/defect_neighbours";
  const float* gain;
  std::int32_t* distance;  ///< four for each pixel; unchanged for good ones
  int columns, rows;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    for (int k = 0; k < Lanes::width; ++k) {
      const std::int64_t at = static_cast<std::int64_t>(y) * columns + x + k;
      if (gain[at] != 0.0F) continue;
      distance[4 * at] = search(at, -1, x + k);
      distance[4 * at + 1] = search(at, 1, columns - 1 - (x + k));
      distance[4 * at + 2] = search(at, -static_cast<std::int64_t>(columns), y);
      distance[4 * at + 3] = search(at, columns, rows - 1 - y);
    }
  }

 private:
  ISOCENTER_HD std::int32_t search(std::int64_t at, std::int64_t step, int steps) const {
    for (int d = 1; d <= steps; ++d)
      if (gain[at + d * step] != 0.0F) return d;
    return 0;
  }
};

/// What a count becomes before the logarithm: counts - dark, at least `minimum`, which is also what NaN and infinity
/// become.
template <class Float>
ISOCENTER_HD Float usable_counts(Float net, float minimum) {
  return select(net >= minimum, select(net < 3e38F, net, Float{} + minimum), Float{} + minimum);
}

/// How many elements of each detector row usable_counts changes, defective pixels apart, how many of them are far above
/// the open beam, and the sums of transmission over the columns at the detector's left and right border. Launched over
/// rows × views.
struct CountRows {
  static constexpr const char* name = "recon/count_rows";
  static constexpr float far_above = 1.25F;  ///< noise and drift stay below it
  const float* counts;
  const float* dark;  ///< null: dark_value
  const float* gain;
  float* clamped;  ///< [view][row]
  float* above;    ///< [view][row]: a transmission above far_above; null: not wanted
  double* border;  ///< [view][row][4]: sum and number at the left, sum and number at the right; null: not wanted
  int columns, rows, border_columns;
  float dark_value, minimum;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int) const {
    for (int k = 0; k < Lanes::width; ++k) row(x + k, y);
  }

 private:
  ISOCENTER_HD void row(int v, int view) const {
    const std::int64_t first = static_cast<std::int64_t>(v) * columns;
    const float* from = counts + static_cast<std::int64_t>(view) * rows * columns + first;
    int changed = 0, bright = 0;
    double sum[2] = {0.0, 0.0}, number[2] = {0.0, 0.0};
    for (int u = 0; u < columns; ++u) {
      const float g = gain[first + u];
      if (g == 0.0F) continue;
      const float net = from[u] - (dark != nullptr ? dark[first + u] : dark_value);
      if (!(net >= minimum) || !(net < 3e38F)) ++changed;
      if (net * g > far_above) ++bright;
      const bool left = u < border_columns, right = u >= columns - border_columns;
      if (!left && !right) continue;
      sum[left ? 0 : 1] += static_cast<double>(usable_counts(net, minimum) * g);
      number[left ? 0 : 1] += 1.0;
    }
    const std::int64_t at = static_cast<std::int64_t>(view) * rows + v;
    clamped[at] = static_cast<float>(changed);
    if (above != nullptr) above[at] = static_cast<float>(bright);
    if (border == nullptr) return;
    for (int side = 0; side < 2; ++side) {
      border[4 * at + 2 * side] = sum[side];
      border[4 * at + 2 * side + 1] = number[side];
    }
  }
};

/// ln of each view's mean transmission in the border columns; 0 when none of them works. Launched over views.
struct BorderIntensity {
  static constexpr const char* name = "recon/border_intensity";
  const double* border;  ///< of CountRows
  float* log_i0;
  float* imbalance;  ///< ln of (left mean / right mean)
  int rows;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int, int) const {
    for (int k = 0; k < Lanes::width; ++k) {
      double s[4] = {0.0, 0.0, 0.0, 0.0};
      for (int v = 0; v < rows; ++v)
        for (int i = 0; i < 4; ++i) s[i] += border[(static_cast<std::int64_t>(x + k) * rows + v) * 4 + i];
      const double n = s[1] + s[3];
      log_i0[x + k] = n > 0.0 ? logarithm((s[0] + s[2]) / n) : 0.0F;
      imbalance[x + k] = s[1] > 0.0 && s[3] > 0.0 ? logarithm(s[0] / s[1]) - logarithm(s[2] / s[3]) : 0.0F;
    }
  }

 private:
  static ISOCENTER_HD float logarithm(double v) { return 0.69314718F * log2_positive(static_cast<float>(v)); }
};

/// out = ln i0 - ln((counts - dark) · gain); a defective pixel is the mean of its nearest good neighbours in the row
/// and the column, weighted with 1 / distance: linear interpolation where two of them lie on one line, 0 where there is
/// none. Launched over columns × rows × views.
struct LineIntegralsKernel {
  static constexpr const char* name = "recon/line_integrals";
  const float* counts;
  const float* dark;  ///< null: dark_value
  const float* gain;
  const std::int32_t* distance;  ///< of DefectNeighbours
  const float* log_i0;           ///< one for each view; null: 0
  float* out;
  int columns, rows;
  float dark_value, minimum;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t pixel = static_cast<std::int64_t>(y) * columns + x;
    const std::int64_t at = static_cast<std::int64_t>(z) * rows * columns + pixel;
    const float i0 = log_i0 != nullptr ? log_i0[z] : 0.0F;
    const Float g = load(lanes, gain + pixel);
    const Float low = dark != nullptr ? load(lanes, dark + pixel) : Float{} + dark_value;
    store(out + at, integral(load(lanes, counts + at) - low, g, i0));
    if (!any(g == 0.0F)) return;
    for (int k = 0; k < Lanes::width; ++k)
      if (gain[pixel + k] == 0.0F) out[at + k] = repaired(pixel + k, at + k, i0);
  }

 private:
  template <class Float>
  ISOCENTER_HD Float integral(Float net, Float g, float i0) const {
    return i0 - 0.69314718F * log2_positive(usable_counts(net, minimum) * g);
  }
  ISOCENTER_HD float repaired(std::int64_t pixel, std::int64_t at, float i0) const {
    const std::int64_t step[4] = {-1, 1, -static_cast<std::int64_t>(columns), columns};
    float sum = 0.0F, weight = 0.0F;
    for (int i = 0; i < 4; ++i) {
      const int d = distance[4 * pixel + i];
      if (d == 0) continue;
      const std::int64_t move = d * step[i];
      const float net = counts[at + move] - (dark != nullptr ? dark[pixel + move] : dark_value);
      const float w = 1.0F / static_cast<float>(d);
      sum += w * integral(net, gain[pixel + move], i0);
      weight += w;
    }
    return weight > 0.0F ? sum / weight : 0.0F;
  }
};

}  // namespace isocenter::detail
