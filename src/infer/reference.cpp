#include "infer/reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <isocenter/error.hpp>
#include <limits>

#include "infer/reference_loops.hpp"
#include "infer/reference_windows.hpp"

namespace isocenter::infer {
namespace {

using Index = std::array<std::int64_t, max_rank>;

/// Steps through a shape, last axis fastest. next() is false after the last position.
struct Positions {
  explicit Positions(const Shape& s) : shape(s) {}
  bool next() {
    for (std::size_t k = shape.size(); k-- > 0;) {
      if (++at[k] < shape[k]) return true;
      at[k] = 0;
    }
    return false;
  }
  const Shape& shape;
  Index at{};
};

Index strides_of(const Shape& shape) {
  Index strides{};
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

/// Strides of an input as seen from a broadcast output.
Index broadcast_strides(const Shape& in, const Shape& out) {
  const Index own = strides_of(in);
  Index strides{};
  for (std::size_t i = 0; i < in.size(); ++i) strides[out.size() - in.size() + i] = in[i] == 1 ? 0 : own[i];
  return strides;
}

std::int64_t offset(const Index& at, const Index& strides, std::size_t rank) {
  std::int64_t sum = 0;
  for (std::size_t k = 0; k < rank; ++k) sum += at[k] * strides[k];
  return sum;
}

double activate(const Activation& a, double v) {
  return a.none() ? v : apply_real(a.function, static_cast<double>(a.alpha), static_cast<double>(a.beta), v, 0, 0);
}

void run(const Map& map, std::span<const ConstView> in, View out) {
  if (element_count(*out.shape) == 0) return;
  const std::size_t rank = out.shape->size(), n = in.size();
  std::array<Index, 3> strides{};
  for (std::size_t i = 0; i < n; ++i) strides[i] = broadcast_strides(*in[i].shape, *out.shape);
  bool integral = true;
  for (std::size_t i = 0; i < n; ++i) integral = integral && !is_floating(in[i].type);
  const bool copies = map.function == Function::identity && map.then.none();
  if (map.function == Function::where) integral = !is_floating(in[1].type);
  if (copies && is_floating(out.type)) integral = false;  // uint64 above 2^63 aside, exact in float64
  Positions positions(*out.shape);
  std::int64_t i = 0;
  do {
    std::array<double, 3> a{};
    std::array<std::int64_t, 3> b{};
    for (std::size_t k = 0; k < n; ++k) {
      const std::int64_t at = offset(positions.at, strides[k], rank);
      if (integral)
        b[k] = read_integer(in[k].type, in[k].data, at);
      else
        a[k] = read_real(in[k].type, in[k].data, at);
    }
    if (integral) {
      write_integer(out.type, out.data, i, apply_integer(map.function, b[0], b[1], b[2]));
    } else {
      const double v =
          apply_real(map.function, static_cast<double>(map.alpha), static_cast<double>(map.beta), a[0], a[1], a[2]);
      write_real(out.type, out.data, i, activate(map.then, v), !(copies && map.alpha != 0.0F));
    }
    ++i;
  } while (positions.next());
}

void run(const Copy& copy, std::span<const ConstView> in, View out) {
  if (element_count(*out.shape) == 0) return;
  const std::size_t rank = out.shape->size();
  const Index own = strides_of(*in[0].shape);
  const auto size = static_cast<std::size_t>(bytes_of(out.type));
  Positions positions(*out.shape);
  std::int64_t i = 0;
  do {
    std::int64_t from = 0;
    bool inside = true;
    for (std::size_t k = 0; k < rank; ++k) {
      const auto& table = copy.tables[k];
      const std::int64_t at = table.empty() ? positions.at[k] : table[static_cast<std::size_t>(positions.at[k])];
      inside = inside && at >= 0;
      if (copy.axes[k] >= 0) from += at * own[static_cast<std::size_t>(copy.axes[k])];
    }
    if (inside)
      std::memcpy(out.data + i * static_cast<std::int64_t>(size), in[0].data + from * static_cast<std::int64_t>(size),
                  size);
    else
      write_real(out.type, out.data, i, copy.fill);
    ++i;
  } while (positions.next());
}

void run(const Concat& concat, std::span<const ConstView> in, View out) {
  const auto axis = static_cast<std::size_t>(concat.axis);
  std::int64_t outer = 1, inner = bytes_of(out.type);
  for (std::size_t k = 0; k < axis; ++k) outer *= (*out.shape)[k];
  for (std::size_t k = axis + 1; k < out.shape->size(); ++k) inner *= (*out.shape)[k];
  std::byte* to = out.data;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const auto& view : in) {
      const std::int64_t bytes = (*view.shape)[axis] * inner;
      if (bytes > 0) std::memcpy(to, view.data + o * bytes, static_cast<std::size_t>(bytes));
      to += bytes;
    }
}

void run(const Softmax& softmax, std::span<const ConstView> in, View out) {
  const auto axis = static_cast<std::size_t>(softmax.axis);
  const std::int64_t n = (*out.shape)[axis];
  std::int64_t inner = 1, outer = 1;
  for (std::size_t k = 0; k < axis; ++k) outer *= (*out.shape)[k];
  for (std::size_t k = axis + 1; k < out.shape->size(); ++k) inner *= (*out.shape)[k];
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t j = 0; j < inner; ++j) {
      const auto at = [&](std::int64_t i) { return (o * n + i) * inner + j; };
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t i = 0; i < n; ++i) top = std::max(top, read_real(in[0].type, in[0].data, at(i)));
      for (std::int64_t i = 0; i < n; ++i) sum += std::exp(read_real(in[0].type, in[0].data, at(i)) - top);
      for (std::int64_t i = 0; i < n; ++i) {
        const double d = read_real(in[0].type, in[0].data, at(i)) - top;
        write_real(out.type, out.data, at(i), softmax.log ? d - std::log(sum) : std::exp(d) / sum);
      }
    }
}

struct Accumulator {
  Reduction::Kind kind;
  bool last;
  double value = 0, shift = 0;
  std::int64_t whole = 0, count = 0, best = 0;

  void add(double v, std::int64_t exact) {
    using K = Reduction::Kind;
    const bool first = count == 0;
    switch (kind) {
      case K::sum:
      case K::mean:
        value += v;
        whole += exact;
        break;
      case K::product:
        value = first ? v : value * v;
        whole = first ? exact : whole * exact;
        break;
      case K::sum_squares:
        value += v * v;
        whole += exact * exact;
        break;
      case K::sum_abs:
        value += std::fabs(v);
        whole += std::abs(exact);
        break;
      case K::log_sum_exp:
        add_exponential(v, first);
        break;
      case K::max:
        if (first || v > value || std::isnan(v)) {
          value = v;
          whole = exact;
        }
        break;
      case K::min:
        if (first || v < value || std::isnan(v)) {
          value = v;
          whole = exact;
        }
        break;
      case K::arg_max:
        if (first || v > value || (last && v == value)) {
          value = v;
          best = count;
        }
        break;
      case K::arg_min:
        if (first || v < value || (last && v == value)) {
          value = v;
          best = count;
        }
        break;
    }
    ++count;
  }
  void add_exponential(double v, bool first) {
    if (first || v > shift) {
      value = first ? 1.0 : value * std::exp(shift - v) + 1.0;
      shift = v;
    } else {
      value += std::exp(v - shift);
    }
  }
  void write(View out, std::int64_t at) const {
    using K = Reduction::Kind;
    if (kind == K::arg_max || kind == K::arg_min) return write_integer(out.type, out.data, at, best);
    if (kind == K::log_sum_exp)
      return write_real(out.type, out.data, at, count == 0 ? -INFINITY : std::log(value) + shift);
    if (kind == K::mean) return write_real(out.type, out.data, at, value / static_cast<double>(count));
    if (count == 0) return write_real(out.type, out.data, at, empty());
    if (is_floating(out.type)) return write_real(out.type, out.data, at, value);
    write_integer(out.type, out.data, at, whole);
  }
  double empty() const {
    if (kind == Reduction::Kind::product) return 1.0;
    if (kind == Reduction::Kind::max) return -INFINITY;
    return kind == Reduction::Kind::min ? INFINITY : 0.0;
  }
};

void run(const Reduction& reduction, std::span<const ConstView> in, View out) {
  if (element_count(*out.shape) == 0) return;
  const std::size_t rank = in[0].shape->size();
  const Index own = strides_of(*in[0].shape);
  std::array<std::int64_t, max_rank> extents{};
  for (const int axis : reduction.axes)
    extents[static_cast<std::size_t>(axis)] = (*in[0].shape)[static_cast<std::size_t>(axis)];
  std::int64_t total = 1;
  for (const int axis : reduction.axes) total *= extents[static_cast<std::size_t>(axis)];
  Positions positions(*out.shape);
  std::int64_t o = 0;
  do {
    Accumulator acc{reduction.kind, reduction.last_index};
    const std::int64_t base = offset(positions.at, own, rank);
    for (std::int64_t r = 0; r < total; ++r) {
      std::int64_t rest = r, at = base;
      for (std::size_t k = reduction.axes.size(); k-- > 0;) {
        const auto axis = static_cast<std::size_t>(reduction.axes[k]);
        at += rest % extents[axis] * own[axis];
        rest /= extents[axis];
      }
      const bool whole = !is_floating(in[0].type);
      acc.add(read_real(in[0].type, in[0].data, at), whole ? read_integer(in[0].type, in[0].data, at) : 0);
    }
    acc.write(out, o++);
  } while (positions.next());
}

void run(const Alias&, std::span<const ConstView> in, View out) {
  const auto bytes = static_cast<std::size_t>(element_count(*out.shape) * bytes_of(out.type));
  if (bytes > 0) std::memcpy(out.data, in[0].data, bytes);
}

void run(const Loops& loops, std::span<const ConstView> in, View out) {
  std::visit([&](const auto& what) { run_loops(what, in, out); }, loops.what);
}

}  // namespace

void evaluate_reference(const Node& node, std::span<const ConstView> inputs, View output) {
  try {
    std::visit([&](const auto& operation) { run(operation, inputs, output); }, node.operation);
  } catch (const BadIndex& e) {
    throw Failure(ErrorCode::bad_data,
                  "node '" + node.name + "' (" + node.op_type + ") gathers or scatters at position " +
                      std::to_string(e.index) + " of " + std::to_string(e.extent),
                  "check the input's values, or the model that computes the position");
  }
}

}  // namespace isocenter::infer
