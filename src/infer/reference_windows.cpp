#include "infer/reference_windows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace isocenter::infer {
namespace {

constexpr std::size_t max_spatial = 3;

double activate(const Activation& a, double v) {
  return a.none() ? v : apply_real(a.function, static_cast<double>(a.alpha), static_cast<double>(a.beta), v, 0, 0);
}

/// Up to three spatial extents, missing ones 1 in front: (d, h, w).
struct Space {
  explicit Space(const Shape& shape) {
    const std::size_t n = shape.size() - 2;
    for (std::size_t k = 0; k < n; ++k) e[max_spatial - n + k] = shape[2 + k];
  }
  std::int64_t count() const { return e[0] * e[1] * e[2]; }
  std::int64_t at(std::int64_t a, std::int64_t b, std::int64_t c) const { return (a * e[1] + b) * e[2] + c; }
  std::array<std::int64_t, 3> e{1, 1, 1};
};

std::array<std::int64_t, 3> spread(const Shape& values, std::int64_t otherwise) {
  std::array<std::int64_t, 3> all{otherwise, otherwise, otherwise};
  for (std::size_t k = 0; k < values.size(); ++k) all[max_spatial - values.size() + k] = values[k];
  return all;
}

/// The window as (d, h, w).
struct Taps {
  explicit Taps(const Window& w)
      : kernel(spread(w.kernel, 1)),
        stride(spread(w.strides, 1)),
        dilation(spread(w.dilations, 1)),
        begin(spread(w.pads_begin, 0)),
        end(spread(w.pads_end, 0)) {}
  std::int64_t position(std::size_t axis, std::int64_t out, std::int64_t tap) const {
    return out * stride[axis] - begin[axis] + tap * dilation[axis];
  }
  std::array<std::int64_t, 3> kernel, stride, dilation, begin, end;
};

template <class F>
void for_each(const std::array<std::int64_t, 3>& extents, F&& f) {
  for (std::int64_t a = 0; a < extents[0]; ++a)
    for (std::int64_t b = 0; b < extents[1]; ++b)
      for (std::int64_t c = 0; c < extents[2]; ++c) f(a, b, c);
}

}  // namespace

void run(const Convolution& conv, std::span<const ConstView> in, View out) {
  const Space from(*in[0].shape), to(*out.shape);
  const Taps taps(conv.window);
  const std::int64_t batch = (*out.shape)[0], outs = (*out.shape)[1], ins = (*in[0].shape)[1];
  const std::int64_t outs_g = outs / conv.groups, ins_g = ins / conv.groups;
  const std::int64_t taps_count = taps.kernel[0] * taps.kernel[1] * taps.kernel[2];
  const auto x = [&](std::int64_t n, std::int64_t c, std::int64_t at) {
    return read_real(in[0].type, in[0].data, (n * ins + c) * from.count() + at);
  };
  const auto weight = [&](std::int64_t o, std::int64_t i_in_group, std::int64_t tap) {
    const std::int64_t g = o / outs_g;
    const std::int64_t at =
        conv.transposed ? ((g * ins_g + i_in_group) * outs_g + o % outs_g) : (o * ins_g + i_in_group);
    return read_real(in[1].type, in[1].data, at * taps_count + tap);
  };
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t o = 0; o < outs; ++o)
      for_each(to.e, [&](std::int64_t a, std::int64_t b, std::int64_t c) {
        double sum = conv.bias ? read_real(in[2].type, in[2].data, o) : 0.0;
        std::int64_t tap = 0;
        for_each(taps.kernel, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
          std::array<std::int64_t, 3> p{};
          const std::array<std::int64_t, 3> o3{a, b, c}, k3{i, j, k};
          bool inside = true;
          for (std::size_t s = 0; s < 3; ++s) {
            if (conv.transposed) {  // out = in * stride - begin + tap * dilation, solved for in
              const std::int64_t v = o3[s] + taps.begin[s] - k3[s] * taps.dilation[s];
              inside = inside && v % taps.stride[s] == 0;
              p[s] = v / taps.stride[s];
              inside = inside && v >= 0;
            } else {
              p[s] = taps.position(s, o3[s], k3[s]);
            }
            inside = inside && p[s] >= 0 && p[s] < from.e[s];
          }
          if (inside)
            for (std::int64_t q = 0; q < ins_g; ++q)
              sum += x(n, o / outs_g * ins_g + q, from.at(p[0], p[1], p[2])) * weight(o, q, tap);
          ++tap;
        });
        const std::int64_t at = (n * outs + o) * to.count() + to.at(a, b, c);
        if (conv.residual) sum += read_real(in.back().type, in.back().data, at);
        write_real(out.type, out.data, at, activate(conv.then, sum));
      });
}

void run(const Pool& pool, std::span<const ConstView> in, View out) {
  const Space from(*in[0].shape), to(*out.shape);
  const Taps taps(pool.window);
  const bool average = pool.kind == Pool::Kind::average;
  const std::int64_t planes = (*out.shape)[0] * (*out.shape)[1];
  for (std::int64_t p = 0; p < planes; ++p)
    for_each(to.e, [&](std::int64_t a, std::int64_t b, std::int64_t c) {
      double acc = average ? 0.0 : -std::numeric_limits<double>::infinity();
      std::int64_t inside = 0, counted = 0;
      for_each(taps.kernel, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
        const std::array<std::int64_t, 3> at{taps.position(0, a, i), taps.position(1, b, j), taps.position(2, c, k)};
        bool in_data = true, in_pads = true;
        for (std::size_t s = 0; s < 3; ++s) {
          in_data = in_data && at[s] >= 0 && at[s] < from.e[s];
          in_pads = in_pads && at[s] < from.e[s] + taps.end[s];
        }
        if (in_pads) ++counted;
        if (!in_data) return;
        const double v = read_real(in[0].type, in[0].data, p * from.count() + from.at(at[0], at[1], at[2]));
        acc = average ? acc + v : (v > acc || std::isnan(v) ? v : acc);
        ++inside;
      });
      if (average) acc /= static_cast<double>(pool.count_pads ? counted : (inside > 0 ? inside : 1));
      write_real(out.type, out.data, p * to.count() + to.at(a, b, c), acc);
    });
}

void run(const Normalisation& norm, std::span<const ConstView> in, View out) {
  const std::int64_t batch = (*out.shape)[0], channels = (*out.shape)[1];
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < out.shape->size(); ++k) pixels *= (*out.shape)[k];
  const std::int64_t count = channels / norm.groups * pixels;
  for (std::int64_t g = 0; g < batch * norm.groups; ++g) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += read_real(in[0].type, in[0].data, g * count + i);
    const double mean = sum / static_cast<double>(count);
    for (std::int64_t i = 0; i < count; ++i) {
      const double d = read_real(in[0].type, in[0].data, g * count + i) - mean;
      squares += d * d;
    }
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(count) + static_cast<double>(norm.epsilon));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t c = (g * count + i) / pixels % channels;
      const double v = (read_real(in[0].type, in[0].data, g * count + i) - mean) * factor;
      const double scaled = v * read_real(in[1].type, in[1].data, c) + read_real(in[2].type, in[2].data, c);
      write_real(out.type, out.data, g * count + i, activate(norm.then, scaled));
    }
  }
}

void run(const Resample& resample, std::span<const ConstView> in, View out) {
  const std::size_t rank = out.shape->size();
  const std::int64_t count = element_count(*out.shape);
  for (std::int64_t o = 0; o < count; ++o) {
    std::array<std::int64_t, max_rank> at{};
    std::int64_t rest = o, combinations = 1;
    for (std::size_t k = rank; k-- > 0;) {
      at[k] = rest % (*out.shape)[k];
      rest /= (*out.shape)[k];
      if (resample.axes[k].taps > 0) combinations *= resample.axes[k].taps;
    }
    double sum = 0;
    for (std::int64_t t = 0; t < combinations; ++t) {
      std::int64_t which = t, from = 0, step = 1;
      double weight = 1;
      for (std::size_t k = rank; k-- > 0;) {
        const AxisTaps& axis = resample.axes[k];
        std::int64_t p = at[k];
        if (axis.taps > 0) {
          const auto tap = static_cast<std::size_t>(at[k] * axis.taps + which % axis.taps);
          which /= axis.taps;
          p = axis.indices[tap];
          weight *= static_cast<double>(axis.weights[tap]);
        }
        from += p * step;
        step *= (*in[0].shape)[k];
      }
      if (weight != 0.0) sum += weight * read_real(in[0].type, in[0].data, from);
    }
    write_real(out.type, out.data, o, sum);
  }
}

void run(const MatrixProduct& product, std::span<const ConstView> in, View out) {
  const std::size_t rank = out.shape->size();
  const auto& a = *in[0].shape;
  const auto& b = *in[1].shape;
  const std::int64_t m = (*out.shape)[rank - 2], n = (*out.shape)[rank - 1];
  const std::int64_t k = a[a.size() - (product.transpose_a ? 2 : 1)];
  const bool whole = !is_floating(out.type);
  std::int64_t batches = 1;
  for (std::size_t i = 0; i + 2 < rank; ++i) batches *= (*out.shape)[i];
  const auto matrix = [&](const Shape& s, std::int64_t batch) {  // which matrix of a broadcast operand
    std::int64_t index = 0, step = 1, rest = batch;
    for (std::size_t i = rank - 2; i-- > 0;) {
      const std::int64_t here = rest % (*out.shape)[i];
      rest /= (*out.shape)[i];
      if (i + s.size() < rank) continue;
      const std::int64_t extent = s[i + s.size() - rank];
      if (extent > 1) index += here * step;
      step *= extent;
    }
    return index;
  };
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const std::int64_t at_a = matrix(a, batch) * m * k, at_b = matrix(b, batch) * k * n;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = product.bias ? read_real(in[2].type, in[2].data, j) : 0.0;
        std::int64_t exact = whole && product.bias ? read_integer(in[2].type, in[2].data, j) : 0;
        for (std::int64_t q = 0; q < k; ++q) {
          const std::int64_t ia = at_a + (product.transpose_a ? q * m + i : i * k + q);
          const std::int64_t ib = at_b + (product.transpose_b ? j * k + q : q * n + j);
          if (whole)
            exact += read_integer(in[0].type, in[0].data, ia) * read_integer(in[1].type, in[1].data, ib);
          else
            sum += read_real(in[0].type, in[0].data, ia) * read_real(in[1].type, in[1].data, ib);
        }
        const std::int64_t at = (batch * m + i) * n + j;
        if (whole)
          write_integer(out.type, out.data, at, exact);
        else
          write_real(out.type, out.data, at, sum);
      }
  }
}

void run(const Attention& attention, std::span<const ConstView> in, View out) {
  const Shape &q = *in[0].shape, &k = *in[1].shape, &v = *in[2].shape;
  const std::int64_t heads = q[1], queries = q[2], depth = q[3], keys = k[2], width = v[3];
  for (std::int64_t matrix = 0; matrix < q[0] * heads; ++matrix)
    for (std::int64_t i = 0; i < queries; ++i) {
      const auto score = [&](std::int64_t j) {
        double sum = 0;
        for (std::int64_t d = 0; d < depth; ++d)
          sum += read_real(in[0].type, in[0].data, (matrix * queries + i) * depth + d) *
                 read_real(in[1].type, in[1].data, (matrix * keys + j) * depth + d);
        sum *= static_cast<double>(attention.scale);
        if (!attention.bias) return sum;
        const Shape& b = *in[3].shape;
        const std::int64_t plane = (b[0] == 1 ? 0 : matrix / heads) * b[1] + (b[1] == 1 ? 0 : matrix % heads);
        return sum + read_real(in[3].type, in[3].data, (plane * queries + i) * keys + j);
      };
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t j = 0; j < keys; ++j) top = std::max(top, score(j));
      for (std::int64_t j = 0; j < keys; ++j) sum += std::exp(score(j) - top);
      for (std::int64_t c = 0; c < width; ++c) {
        double mean = 0;
        for (std::int64_t j = 0; j < keys; ++j)
          mean += std::exp(score(j) - top) / sum * read_real(in[2].type, in[2].data, (matrix * keys + j) * width + c);
        write_real(out.type, out.data, (matrix * queries + i) * width + c, mean);
      }
    }
}

}  // namespace isocenter::infer
