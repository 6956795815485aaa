#include <algorithm>
#include <cmath>

#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

/// Mirrored at the borders until it lies between them.
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double period = std::fmod(std::fabs(x - low), 2 * range);
  return period <= range ? low + period : high - (period - range);
}

/// One axis of a sampled array.
struct SampledAxis {
  std::int64_t extent = 1;
  double low = 0, high = 0;  ///< the borders that reflection has

  SampledAxis() = default;
  SampledAxis(std::int64_t n, bool align_corners) : extent(n) {
    low = align_corners ? 0.0 : -0.5;
    high = static_cast<double>(n) - (align_corners ? 1.0 : 0.5);
  }
  /// From [-1, 1] to positions.
  double position(double v, bool align_corners) const {
    const auto n = static_cast<double>(extent);
    return align_corners ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2;
  }
  double pad(double x, GridPadding padding) const {
    if (padding == GridPadding::border) return std::clamp(x, 0.0, static_cast<double>(extent - 1));
    return padding == GridPadding::reflection && (x < low || x > high) ? reflect(x, low, high) : x;
  }
  /// An integer position inside the array, or -1: zero.
  std::int64_t index(double x, GridPadding padding) const {
    const double p = pad(x, padding);
    if (!(p > -1.0 && p < static_cast<double>(extent))) return -1;
    return static_cast<std::int64_t>(p);
  }
};

/// R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981), eq. 4, with
/// a = -0.75.
double keys(double d) {
  constexpr double a = -0.75;
  d = std::fabs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0.0;
}

/// Bilinear; zero outside.
double bilinear(const ConstView& x, std::int64_t plane, std::int64_t h, std::int64_t w, double row, double column) {
  const double r0 = std::floor(row), c0 = std::floor(column);
  double sum = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      const double r = r0 + i, c = c0 + j;
      if (!(r >= 0 && c >= 0 && r < static_cast<double>(h) && c < static_cast<double>(w))) continue;
      const std::int64_t at = (plane * h + static_cast<std::int64_t>(r)) * w + static_cast<std::int64_t>(c);
      sum += (1 - std::fabs(row - r)) * (1 - std::fabs(column - c)) * read_real(x.type, x.data, at);
    }
  return sum;
}

}  // namespace

void run_loops(const GridSample& what, std::span<const ConstView> in, View out) {
  const Shape& from = *in[0].shape;
  const std::size_t axes = from.size() - 2;
  const std::int64_t channels = from[1], batch = from[0];
  std::int64_t pixels = 1, points = 1;
  std::array<SampledAxis, 3> axis{};
  for (std::size_t k = 0; k < axes; ++k) {
    axis[k] = SampledAxis(from[2 + k], what.align_corners);
    pixels *= from[2 + k];
    points *= (*out.shape)[2 + k];
  }
  const int taps = what.mode == GridMode::nearest ? 1 : (what.mode == GridMode::linear ? 2 : 4);
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t p = 0; p < points; ++p) {
      std::array<std::array<std::int64_t, 4>, 3> index{};
      std::array<std::array<double, 4>, 3> weight{};
      std::int64_t combinations = 1;
      for (std::size_t k = 0; k < axes; ++k) {
        const auto component = static_cast<std::int64_t>(axes - 1 - k);  // x first
        double x = axis[k].position(
            read_real(in[1].type, in[1].data, (n * points + p) * static_cast<std::int64_t>(axes) + component),
            what.align_corners);
        if (what.mode == GridMode::nearest) x = std::nearbyint(x);
        if (!std::isfinite(x)) x = -2;
        x = axis[k].pad(x, what.padding);
        const double first = what.mode == GridMode::nearest ? x : std::floor(x) - (taps == 4 ? 1 : 0);
        for (int t = 0; t < taps; ++t) {
          const double d = x - (first + t);
          const auto s = static_cast<std::size_t>(t);
          index[k][s] = axis[k].index(first + t, what.padding);
          weight[k][s] = taps == 1 ? 1.0 : (taps == 2 ? 1 - std::fabs(d) : keys(d));
        }
        combinations *= taps;
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (std::int64_t t = 0; t < combinations; ++t) {
          std::int64_t rest = t, at = 0;
          double w = 1;
          bool inside = true;
          for (std::size_t k = 0; k < axes; ++k) {
            const auto s = static_cast<std::size_t>(rest % taps);
            rest /= taps;
            inside = inside && index[k][s] >= 0;
            at = at * axis[k].extent + index[k][s];
            w *= weight[k][s];
          }
          if (inside && w != 0.0) sum += w * read_real(in[0].type, in[0].data, (n * channels + c) * pixels + at);
        }
        write_real(out.type, out.data, (n * channels + c) * points + p, sum);
      }
    }
}

namespace {

/// Where a sample of a region lies between the rows or columns of a feature map.
struct Between {
  std::int64_t low = 0, high = 0;
  double upper = 0;  ///< weight of `high`
  bool outside = false;

  Between(double x, std::int64_t extent) {
    const auto n = static_cast<double>(extent);
    outside = !(x >= -1.0 && x <= n);
    if (outside) return;
    x = std::max(x, 0.0);
    low = std::min(static_cast<std::int64_t>(x), extent - 1);
    high = std::min(low + 1, extent - 1);
    upper = low == high ? 0.0 : x - static_cast<double>(low);
  }
};

}  // namespace

/// K. He et al., "Mask R-CNN", ICCV 2017, section 3. The maximum is that of the weighted corners, as ONNX has it.
void run_loops(const RegionAlign& what, std::span<const ConstView> in, View out) {
  const Shape &map = *in[0].shape, &to = *out.shape;
  const double offset = what.half_pixel ? 0.5 : 0.0;
  for (std::int64_t r = 0; r < to[0]; ++r) {
    const std::int64_t image = std::clamp<std::int64_t>(read_integer(in[2].type, in[2].data, r), 0, map[0] - 1);
    const auto edge = [&](std::int64_t k) {
      return read_real(in[1].type, in[1].data, r * 4 + k) * what.scale - offset;
    };
    const double x0 = edge(0), y0 = edge(1);
    double width = edge(2) - x0, height = edge(3) - y0;
    if (!what.half_pixel) width = std::max(width, 1.0), height = std::max(height, 1.0);
    const double bin_h = height / static_cast<double>(to[2]), bin_w = width / static_cast<double>(to[3]);
    const auto samples = [&](double bin) {
      if (what.samples > 0) return what.samples;
      return static_cast<std::int64_t>(std::ceil(std::clamp(bin, 0.0, 4096.0)));
    };
    const std::int64_t rows = samples(bin_h), columns = samples(bin_w);
    for (std::int64_t c = 0; c < to[1]; ++c)
      for (std::int64_t o = 0; o < to[2] * to[3]; ++o) {
        double sum = 0, most = 0;
        bool first = true;
        for (std::int64_t s = 0; s < rows * columns; ++s) {
          const auto at = [&](double start, std::int64_t bin, double size, std::int64_t k, std::int64_t count) {
            return start + static_cast<double>(bin) * size +
                   (static_cast<double>(k) + 0.5) * size / static_cast<double>(count);
          };
          const Between y(at(y0, o / to[3], bin_h, s / columns, rows), map[2]);
          const Between x(at(x0, o % to[3], bin_w, s % columns, columns), map[3]);
          const bool outside = y.outside || x.outside;
          for (int k = 0; k < 4; ++k) {
            const std::int64_t row = k < 2 ? y.low : y.high, column = k % 2 == 0 ? x.low : x.high;
            const double w = (k < 2 ? 1 - y.upper : y.upper) * (k % 2 == 0 ? 1 - x.upper : x.upper);
            const double v = outside ? 0.0
                                     : w * read_real(in[0].type, in[0].data,
                                                     ((image * map[1] + c) * map[2] + row) * map[3] + column);
            sum += v;
            most = first ? v : std::max(most, v);
            first = false;
          }
        }
        const double mean = sum / static_cast<double>(std::max<std::int64_t>(1, rows * columns));
        write_real(out.type, out.data, (r * to[1] + c) * to[2] * to[3] + o, what.maximum ? most : mean);
      }
  }
}

void run_loops(const DeformedConvolution& what, std::span<const ConstView> in, View out) {
  const Shape &x = *in[0].shape, &w = *in[1].shape, &to = *out.shape;
  const std::int64_t taps = w[2] * w[3], points = to[2] * to[3];
  const std::int64_t ins = w[1], per_offset_group = x[1] / what.offset_groups;
  const ConstView& offsets = in[2];
  for (std::int64_t n = 0; n < to[0]; ++n)
    for (std::int64_t o = 0; o < to[1]; ++o)
      for (std::int64_t p = 0; p < points; ++p) {
        double sum = what.bias ? read_real(in[3].type, in[3].data, o) : 0.0;
        for (std::int64_t q = 0; q < ins; ++q) {
          const std::int64_t channel = o / (to[1] / what.groups) * ins + q, group = channel / per_offset_group;
          for (std::int64_t t = 0; t < taps; ++t) {
            const std::int64_t tap = (n * what.offset_groups + group) * taps + t;
            const auto place = [&](std::size_t k, std::int64_t out_at, std::int64_t tap_at) {
              return static_cast<double>(out_at * what.window.strides[k] - what.window.pads_begin[k] +
                                         tap_at * what.window.dilations[k]) +
                     read_real(offsets.type, offsets.data, (tap * 2 + static_cast<std::int64_t>(k)) * points + p);
            };
            const double row = place(0, p / to[3], t / w[3]), column = place(1, p % to[3], t % w[3]);
            double v = bilinear(in[0], n * x[1] + channel, x[2], x[3], row, column);
            if (what.mask) v *= read_real(in.back().type, in.back().data, tap * points + p);
            sum += v * read_real(in[1].type, in[1].data, (o * ins + q) * taps + t);
          }
        }
        write_real(out.type, out.data, (n * to[1] + o) * points + p, sum);
      }
}

void run_loops(const ColumnsToImage& what, std::span<const ConstView> in, View out) {
  const Shape& to = *out.shape;
  const Window& w = what.window;
  const std::size_t spatial = w.kernel.size();
  const std::int64_t taps = element_count(w.kernel), blocks = in[0].shape->back(), count = element_count(to);
  for (std::int64_t o = 0; o < count; ++o) {
    std::int64_t plane = o;
    for (std::size_t k = 0; k < spatial; ++k) plane /= to[2 + k];
    double sum = 0;
    for (std::int64_t t = 0; t < taps; ++t) {  // the block that tap t of this position belongs to, if any
      std::int64_t out_rest = o, tap_rest = t, block = 0, step = 1;
      bool inside = true;
      for (std::size_t k = spatial; k-- > 0;) {
        const std::int64_t at = out_rest % to[2 + k] + w.pads_begin[k] - tap_rest % w.kernel[k] * w.dilations[k];
        out_rest /= to[2 + k];
        tap_rest /= w.kernel[k];
        const std::int64_t reach = (w.kernel[k] - 1) * w.dilations[k] + 1;
        const std::int64_t steps = (to[2 + k] + w.pads_begin[k] + w.pads_end[k] - reach) / w.strides[k] + 1;
        inside = inside && at >= 0 && at % w.strides[k] == 0 && at / w.strides[k] < steps;
        block += at / w.strides[k] * step;
        step *= steps;
      }
      if (inside) sum += read_real(in[0].type, in[0].data, (plane * taps + t) * blocks + block);
    }
    write_real(out.type, out.data, o, sum);
  }
}

}  // namespace isocenter::infer
