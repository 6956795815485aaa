#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

std::int64_t checked(std::int64_t index, std::int64_t extent) {
  if (index < -extent || index >= extent) throw BadIndex{index, extent};
  return index < 0 ? index + extent : index;
}

void copy_elements(ElementType type, const std::byte* from, std::int64_t at, std::byte* to, std::int64_t to_at,
                   std::int64_t count) {
  const std::int64_t size = bytes_of(type);
  if (count > 0) std::memcpy(to + to_at * size, from + at * size, static_cast<std::size_t>(count * size));
}

void combine(Combine how, const ConstView& updates, std::int64_t at, View out, std::int64_t to) {
  if (how == Combine::replace) return copy_elements(out.type, updates.data, at, out.data, to, 1);
  const auto merge = [how](auto a, auto b) {
    if (how == Combine::add) return a + b;
    if (how == Combine::multiply) return a * b;
    return how == Combine::max ? std::max(a, b) : std::min(a, b);
  };
  if (is_floating(out.type))
    write_real(out.type, out.data, to,
               merge(read_real(out.type, out.data, to), read_real(updates.type, updates.data, at)));
  else
    write_integer(out.type, out.data, to,
                  merge(read_integer(out.type, out.data, to), read_integer(updates.type, updates.data, at)));
}

/// The element that a position of leading axes [batch, batch + depth) starts at, read from the indices' last axis.
std::int64_t block_start(const ConstView& indices, std::int64_t row, std::int64_t depth, const Shape& data,
                         std::size_t batch) {
  std::int64_t at = 0;
  for (std::int64_t d = 0; d < depth; ++d) {
    const std::int64_t extent = data[batch + static_cast<std::size_t>(d)];
    at = at * extent + checked(read_integer(indices.type, indices.data, row * depth + d), extent);
  }
  return at;
}

/// a comes before b; NaN counts as larger than all.
bool precedes(const ConstView& x, std::int64_t a, std::int64_t b, bool largest) {
  if (!largest) std::swap(a, b);
  if (x.type == ElementType::u64)
    return x.data == nullptr ? false
                             : static_cast<std::uint64_t>(read_integer(x.type, x.data, a)) >
                                   static_cast<std::uint64_t>(read_integer(x.type, x.data, b));
  if (!is_floating(x.type)) return read_integer(x.type, x.data, a) > read_integer(x.type, x.data, b);
  const double va = read_real(x.type, x.data, a), vb = read_real(x.type, x.data, b);
  return va > vb || (std::isnan(va) && !std::isnan(vb));
}

}  // namespace

void run_loops(const GatherIndexed& what, std::span<const ConstView> in, View out) {
  const ConstView& indices = in[1];
  const AroundAxis data(*in[0].shape, what.axis);
  if (!what.elements) {
    const std::int64_t count = element_count(*indices.shape);
    for (std::int64_t o = 0; o < data.outer; ++o)
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t from = checked(read_integer(indices.type, indices.data, i), data.extent);
        copy_elements(out.type, in[0].data, data.at(o, from, 0), out.data, (o * count + i) * data.inner, data.inner);
      }
    return;
  }
  // The other axes of the indices may be shorter than those of the data.
  const Shape strides = dense_strides(*in[0].shape);
  const std::int64_t count = element_count(*indices.shape);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, from = 0;
    for (std::size_t k = out.shape->size(); k-- > 0;) {
      const std::int64_t at = rest % (*out.shape)[k];
      rest /= (*out.shape)[k];
      const bool indexed = static_cast<int>(k) == what.axis;
      from += strides[k] * (indexed ? checked(read_integer(indices.type, indices.data, i), data.extent) : at);
    }
    copy_elements(out.type, in[0].data, from, out.data, i, 1);
  }
}

void run_loops(const GatherPositions& what, std::span<const ConstView> in, View out) {
  const Shape &data = *in[0].shape, &indices = *in[1].shape;
  const auto batch = static_cast<std::size_t>(what.batch_axes);
  const std::int64_t depth = indices.back();
  std::int64_t batches = 1, rows = 1, inner = 1, per_batch = 1;
  for (std::size_t k = 0; k < batch; ++k) batches *= data[k];
  for (std::size_t k = batch; k + 1 < indices.size(); ++k) rows *= indices[k];
  for (std::size_t k = batch; k < data.size(); ++k) per_batch *= data[k];
  for (std::size_t k = batch + static_cast<std::size_t>(depth); k < data.size(); ++k) inner *= data[k];
  for (std::int64_t b = 0; b < batches; ++b)
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t from = b * per_batch + block_start(in[1], b * rows + r, depth, data, batch) * inner;
      copy_elements(out.type, in[0].data, from, out.data, (b * rows + r) * inner, inner);
    }
}

void run_loops(const ScatterElements& what, std::span<const ConstView> in, View out) {
  const ConstView &indices = in[1], &updates = in[2];
  copy_elements(out.type, in[0].data, 0, out.data, 0, element_count(*out.shape));
  const Shape strides = dense_strides(*out.shape);
  const std::int64_t count = element_count(*indices.shape);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, to = 0;
    for (std::size_t k = indices.shape->size(); k-- > 0;) {
      const std::int64_t at = rest % (*indices.shape)[k];
      rest /= (*indices.shape)[k];
      const bool indexed = static_cast<int>(k) == what.axis;
      to += strides[k] * (indexed ? checked(read_integer(indices.type, indices.data, i), (*out.shape)[k]) : at);
    }
    combine(what.combine, updates, i, out, to);
  }
}

void run_loops(const ScatterPositions& what, std::span<const ConstView> in, View out) {
  copy_elements(out.type, in[0].data, 0, out.data, 0, element_count(*out.shape));
  const Shape& indices = *in[1].shape;
  const std::int64_t depth = indices.back();
  std::int64_t rows = 1, inner = 1;
  for (std::size_t k = 0; k + 1 < indices.size(); ++k) rows *= indices[k];
  for (std::size_t k = static_cast<std::size_t>(depth); k < out.shape->size(); ++k) inner *= (*out.shape)[k];
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t to = block_start(in[1], r, depth, *out.shape, 0) * inner;
    for (std::int64_t j = 0; j < inner; ++j) combine(what.combine, in[2], r * inner + j, out, to + j);
  }
}

void run_loops(const CumulativeSum& what, std::span<const ConstView> in, View out) {
  const AroundAxis x(*in[0].shape, what.axis);
  const bool whole = !is_floating(out.type);
  for (std::int64_t o = 0; o < x.outer; ++o)
    for (std::int64_t j = 0; j < x.inner; ++j) {
      double sum = 0;
      std::int64_t exact = 0;
      for (std::int64_t step = 0; step < x.extent; ++step) {
        const std::int64_t at = x.at(o, what.reverse ? x.extent - 1 - step : step, j);
        const double v = whole ? 0 : read_real(in[0].type, in[0].data, at);
        const std::int64_t n = whole ? read_integer(in[0].type, in[0].data, at) : 0;
        if (!what.exclusive) sum += v, exact += n;
        whole ? write_integer(out.type, out.data, at, exact) : write_real(out.type, out.data, at, sum);
        if (what.exclusive) sum += v, exact += n;
      }
    }
}

void run_loops(const TopPositions& what, std::span<const ConstView> in, View out) {
  const AroundAxis x(*in[0].shape, what.axis), best(*out.shape, what.axis);
  auto* positions = reinterpret_cast<std::int64_t*>(out.data);
  for (std::int64_t o = 0; o < x.outer; ++o)
    for (std::int64_t j = 0; j < x.inner; ++j)
      for (std::int64_t i = 0; i < x.extent; ++i) {  // insertion into those that are best so far
        std::int64_t place = std::min(i, best.extent);
        while (place > 0 &&
               precedes(in[0], x.at(o, i, j), x.at(o, positions[best.at(o, place - 1, j)], j), what.largest)) {
          if (place < best.extent) positions[best.at(o, place, j)] = positions[best.at(o, place - 1, j)];
          --place;
        }
        if (place < best.extent) positions[best.at(o, place, j)] = i;
      }
}

void run_loops(const ReverseSequence& what, std::span<const ConstView> in, View out) {
  const Shape& shape = *out.shape;
  const Shape strides = dense_strides(shape);
  const auto batch = static_cast<std::size_t>(what.batch_axis), time = static_cast<std::size_t>(what.time_axis);
  const std::int64_t count = element_count(shape);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t b = i / strides[batch] % shape[batch], t = i / strides[time] % shape[time];
    const std::int64_t length = std::clamp<std::int64_t>(read_integer(in[1].type, in[1].data, b), 0, shape[time]);
    const std::int64_t from = t < length ? i + (length - 1 - 2 * t) * strides[time] : i;
    copy_elements(out.type, in[0].data, from, out.data, i, 1);
  }
}

void run_loops(const MaxPositions& what, std::span<const ConstView> in, View out) {
  const Shape &from = *in[0].shape, &to = *out.shape;
  const std::size_t spatial = what.window.kernel.size();
  const std::int64_t taps = element_count(what.window.kernel), count = element_count(to);
  std::int64_t pixels = 1;
  for (std::size_t k = 0; k < spatial; ++k) pixels *= from[2 + k];
  for (std::int64_t o = 0; o < count; ++o) {
    double best = -std::numeric_limits<double>::infinity();
    std::int64_t where = 0, plane = o;
    for (std::size_t k = 0; k < spatial; ++k) plane /= to[2 + k];
    for (std::int64_t t = 0; t < taps; ++t) {
      std::int64_t out_rest = o, tap_rest = t, row_major = 0, column_major = 0, step = 1;
      bool inside = true;
      for (std::size_t k = spatial; k-- > 0;) {
        const std::int64_t at = out_rest % to[2 + k] * what.window.strides[k] - what.window.pads_begin[k] +
                                tap_rest % what.window.kernel[k] * what.window.dilations[k];
        out_rest /= to[2 + k];
        tap_rest /= what.window.kernel[k];
        inside = inside && at >= 0 && at < from[2 + k];
        row_major += at * step;
        step *= from[2 + k];
      }
      if (!inside) continue;
      for (std::int64_t rest = row_major, k = static_cast<std::int64_t>(spatial) - 1, low = pixels; k >= 0; --k) {
        low /= from[static_cast<std::size_t>(2 + k)];
        column_major += rest % from[static_cast<std::size_t>(2 + k)] * low;
        rest /= from[static_cast<std::size_t>(2 + k)];
      }
      const double v = read_real(in[0].type, in[0].data, plane * pixels + row_major);
      if (v <= best) continue;
      best = v;
      where = plane * pixels + (what.column_major ? column_major : row_major);
    }
    write_integer(out.type, out.data, o, where);
  }
}

}  // namespace isocenter::infer
