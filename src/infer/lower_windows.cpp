// Convolutions, pooling, normalisation by channel.
#include <algorithm>

#include "infer/lower.hpp"

namespace isocenter::infer {
namespace {

constexpr int max_spatial = 3;

int spatial_axes(NodeLowering& n, ValueId x) {
  const int spatial = n.rank(x) - 2;
  if (spatial < 1 || spatial > max_spatial)
    n.unsupported("works on " + to_text(n.shape(x)) + "; one to three spatial axes behind batch and channels are known",
                  "reshape the input");
  return spatial;
}

/// Reads kernel_shape, strides, dilations and pads; auto_pad comes later, it needs extents.
Window read_window(NodeLowering& n, int spatial, const Shape& kernel) {
  const auto count = static_cast<std::size_t>(spatial);
  Window w;
  w.kernel = n.list("kernel_shape", kernel);
  w.strides = n.list("strides", Shape(count, 1));
  w.dilations = n.list("dilations", Shape(count, 1));
  const auto pads = n.list("pads", Shape(2 * count, 0));
  if (w.kernel.size() != count || w.strides.size() != count || w.dilations.size() != count || pads.size() != 2 * count)
    n.contradiction("has a window of " + to_text(w.kernel) + ", strides " + to_text(w.strides) + ", dilations " +
                    to_text(w.dilations) + " and pads " + to_text(pads) + " for " + std::to_string(spatial) +
                    " spatial axes");
  const auto sensible = [](std::int64_t v) { return v >= 1 && v <= (1 << 20); };
  for (const auto* values : {&w.kernel, &w.strides, &w.dilations})
    if (!std::all_of(values->begin(), values->end(), sensible))
      n.contradiction("has a kernel, stride or dilation of " + to_text(*values));
  for (const std::int64_t p : pads)
    if (p < 0 || p > (1 << 20)) n.unsupported("has pads " + to_text(pads), "use pads that are not negative");
  if (!kernel.empty() && kernel != w.kernel)
    n.contradiction("has kernel_shape " + to_text(w.kernel) + " and weights of " + to_text(kernel));
  w.pads_begin.assign(pads.begin(), pads.begin() + spatial);
  w.pads_end.assign(pads.begin() + spatial, pads.end());
  return w;
}

std::int64_t reach(const Window& w, std::size_t k) { return (w.kernel[k] - 1) * w.dilations[k] + 1; }

/// ONNX Conv: auto_pad SAME_UPPER, SAME_LOWER and VALID.
void apply_auto_pad(NodeLowering& n, Window& w, const Shape& in) {
  const std::string mode = n.text("auto_pad", "NOTSET");
  if (mode == "NOTSET") return;
  if (mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER") n.contradiction("has auto_pad '" + mode + "'");
  for (std::size_t k = 0; k < w.kernel.size(); ++k) {
    const std::int64_t extent = in[2 + k], out = (extent + w.strides[k] - 1) / w.strides[k];
    const std::int64_t total =
        mode == "VALID" ? 0 : std::max<std::int64_t>(0, (out - 1) * w.strides[k] + reach(w, k) - extent);
    w.pads_begin[k] = mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
    w.pads_end[k] = total - w.pads_begin[k];
  }
}

void check_extents(NodeLowering& n, const Shape& out, ValueId x) {
  for (std::size_t k = 2; k < out.size(); ++k)
    if (out[k] < 1) n.contradiction("has a window larger than its padded input " + to_text(n.shape(x)));
}

/// A bias of the wrong extent would be read beyond its end.
void add_bias(NodeLowering& n, std::vector<ValueId>& inputs, ValueId bias, std::int64_t channels) {
  if (bias == no_value) return;
  if (n.shape(bias) != Shape{channels})
    n.contradiction("has a bias of shape " + to_text(n.shape(bias)) + " for " + std::to_string(channels) + " channels");
  inputs.push_back(bias);
}

}  // namespace

ValueId convolve(NodeLowering& n, ValueId x, ValueId weights, ValueId bias) {
  const int spatial = spatial_axes(n, x);
  const Shape in = n.shape(x), w = n.shape(weights);
  if (w.size() != in.size()) n.contradiction("has weights of shape " + to_text(w) + " for an input of " + to_text(in));
  Convolution op;
  op.groups = n.integer("group", 1);
  if (op.groups < 1 || in[1] % op.groups != 0 || w[0] % op.groups != 0 || w[1] != in[1] / op.groups)
    n.contradiction("has weights of shape " + to_text(w) + " in " + std::to_string(op.groups) + " groups for " +
                    std::to_string(in[1]) + " input channels");
  op.window = read_window(n, spatial, Shape(w.begin() + 2, w.end()));
  apply_auto_pad(n, op.window, in);
  Shape out{in[0], w[0]};
  for (std::size_t k = 0; k < op.window.kernel.size(); ++k) {
    const std::int64_t span = in[2 + k] + op.window.pads_begin[k] + op.window.pads_end[k] - reach(op.window, k);
    out.push_back(span < 0 ? 0 : span / op.window.strides[k] + 1);
  }
  check_extents(n, out, x);
  std::vector<ValueId> inputs{x, weights};
  add_bias(n, inputs, bias, w[0]);
  op.bias = inputs.size() == 3;
  return n.emit(std::move(op), std::move(inputs), n.type(x), std::move(out));
}

namespace {

void conv(NodeLowering& n) { n.output(0, convolve(n, n.input(0), n.input(1), n.has_input(2) ? n.input(2) : no_value)); }

/// Pads of a transposed convolution, from output_shape or auto_pad where they are given (ONNX ConvTranspose).
void transposed_pads(NodeLowering& n, Window& w, const Shape& in, const Shape& output_padding) {
  const std::string mode = n.text("auto_pad", "NOTSET");
  const auto asked = n.list("output_shape");
  if (!asked.empty() && asked.size() < w.kernel.size()) n.contradiction("has output_shape " + to_text(asked));
  for (std::size_t k = 0; k < w.kernel.size(); ++k) {
    if (asked.empty() && mode != "SAME_UPPER" && mode != "SAME_LOWER") {
      if (mode == "VALID") w.pads_begin[k] = w.pads_end[k] = 0;
    } else {
      const std::int64_t out = asked.empty() ? in[2 + k] * w.strides[k] : asked[asked.size() - w.kernel.size() + k];
      const std::int64_t total = w.strides[k] * (in[2 + k] - 1) + output_padding[k] + reach(w, k) - out;
      const std::int64_t half = total >> 1;  // rounded down: total may be negative
      w.pads_begin[k] = mode == "SAME_UPPER" ? half : total - half;
      w.pads_end[k] = total - w.pads_begin[k];
    }
    w.pads_end[k] -= output_padding[k];
  }
}

void conv_transpose(NodeLowering& n) {
  const ValueId x = n.input(0), weights = n.input(1);
  const int spatial = spatial_axes(n, x);
  const Shape in = n.shape(x), w = n.shape(weights);
  if (w.size() != in.size()) n.contradiction("has weights of shape " + to_text(w) + " for an input of " + to_text(in));
  Convolution op;
  op.transposed = true;
  op.groups = n.integer("group", 1);
  if (op.groups < 1 || w[0] != in[1] || in[1] % op.groups != 0)
    n.contradiction("has weights of shape " + to_text(w) + " in " + std::to_string(op.groups) + " groups for " +
                    std::to_string(in[1]) + " input channels");
  op.window = read_window(n, spatial, Shape(w.begin() + 2, w.end()));
  const auto output_padding = n.list("output_padding", Shape(static_cast<std::size_t>(spatial), 0));
  if (output_padding.size() != op.window.kernel.size() ||
      std::any_of(output_padding.begin(), output_padding.end(), [](auto p) { return p < 0 || p > (1 << 20); }))
    n.contradiction("has output_padding " + to_text(output_padding));
  transposed_pads(n, op.window, in, output_padding);
  Shape out{in[0], w[1] * op.groups};
  for (std::size_t k = 0; k < op.window.kernel.size(); ++k)
    out.push_back((in[2 + k] - 1) * op.window.strides[k] + reach(op.window, k) - op.window.pads_begin[k] -
                  op.window.pads_end[k]);
  check_extents(n, out, x);
  std::vector<ValueId> inputs{x, weights};
  add_bias(n, inputs, n.has_input(2) ? n.input(2) : no_value, out[1]);
  op.bias = inputs.size() == 3;
  n.output(0, n.emit(std::move(op), std::move(inputs), n.type(x), std::move(out)));
}

/// The window of a pool and the shape that it gives.
Shape pool_window(NodeLowering& n, ValueId x, Window& w) {
  const int spatial = spatial_axes(n, x);
  if (!n.has_attribute("kernel_shape")) n.contradiction("has no kernel_shape");
  w = read_window(n, spatial, n.list("kernel_shape"));
  apply_auto_pad(n, w, n.shape(x));
  const bool ceil = n.integer("ceil_mode", 0) != 0;
  Shape out{n.shape(x)[0], n.shape(x)[1]};
  for (std::size_t k = 0; k < w.kernel.size(); ++k) {
    const std::int64_t in = n.shape(x)[2 + k], span = in + w.pads_begin[k] + w.pads_end[k] - reach(w, k);
    if (w.pads_begin[k] >= reach(w, k) || w.pads_end[k] >= reach(w, k))
      n.contradiction("has pads as large as its window " + to_text(w.kernel));
    std::int64_t extent = span < 0 ? 0 : (span + (ceil ? w.strides[k] - 1 : 0)) / w.strides[k] + 1;
    if (ceil && (extent - 1) * w.strides[k] >= in + w.pads_begin[k]) --extent;  // no window starts in the end's padding
    out.push_back(extent);
  }
  check_extents(n, out, x);
  return out;
}

void max_pool(NodeLowering& n) {
  const ValueId x = n.input(0);
  Pool op;
  const Shape out = pool_window(n, x, op.window);
  if (n.wants_output(1)) {
    MaxPositions positions{op.window, n.integer("storage_order", 0) != 0};
    n.output(1, n.emit(Loops{std::move(positions)}, {x}, ElementType::i64, out));
  }
  n.output(0, n.emit(std::move(op), {x}, n.type(x), out));
}
void average_pool(NodeLowering& n) {
  const ValueId x = n.input(0);
  Pool op;
  op.kind = Pool::Kind::average;
  op.count_pads = n.integer("count_include_pad", 0) != 0;
  const Shape out = pool_window(n, x, op.window);
  n.output(0, n.emit(std::move(op), {x}, n.type(x), out));
}

/// (sum of |x|^p)^(1/p): a mean whose padding counts, times the window's size.
void lp_pool(NodeLowering& n) {
  const ValueId x = n.input(0);
  const auto p = static_cast<double>(n.integer("p", 2));
  if (p < 1) n.contradiction("has p = " + std::to_string(p) + "; 1 and more are allowed");
  Pool op;
  op.kind = Pool::Kind::average;
  op.count_pads = true;
  const Shape out = pool_window(n, x, op.window);
  for (std::size_t k = 0; k < op.window.kernel.size(); ++k)  // so that the last window counts as many as the others
    op.window.pads_end[k] =
        std::max(op.window.pads_end[k], (out[2 + k] - 1) * op.window.strides[k] + reach(op.window, k) -
                                            n.shape(x)[2 + k] - op.window.pads_begin[k]);
  const double size = static_cast<double>(element_count(op.window.kernel));
  const ValueId powers = n.emit_map(Function::pow, {n.emit_map(Function::abs, {x}), scalar_like(n, x, p)});
  const ValueId mean = n.emit(std::move(op), {powers}, n.type(x), out);
  const ValueId sum = n.emit_map(Function::mul, {mean, scalar_like(n, x, size)});
  n.output(0, n.emit_map(Function::pow, {sum, scalar_like(n, x, 1.0 / p)}));
}

/// Scale and shift by channel; opset 18's GroupNormalization gives them by group.
ValueId per_channel(NodeLowering& n, std::size_t i, std::int64_t channels, std::int64_t groups) {
  const ValueId v = n.input(i);
  if (n.shape(v) == Shape{channels}) return v;
  if (n.shape(v) != Shape{groups})
    n.contradiction("has a parameter of shape " + to_text(n.shape(v)) + " for " + std::to_string(channels) +
                    " channels");
  Copy spread;
  spread.axes = {0};
  spread.tables.resize(1);
  for (std::int64_t c = 0; c < channels; ++c)
    spread.tables[0].push_back(static_cast<std::int32_t>(c / (channels / groups)));
  return n.emit_copy(std::move(spread), v, {channels});
}

void normalisation(NodeLowering& n, std::int64_t groups) {
  const ValueId x = n.input(0);
  if (n.rank(x) < 3) n.contradiction("normalises " + to_text(n.shape(x)) + ", which has no spatial axis");
  const std::int64_t channels = n.shape(x)[1];
  if (groups < 1 || channels % groups != 0)
    n.contradiction("has " + std::to_string(groups) + " groups for " + std::to_string(channels) + " channels");
  const Normalisation op{groups, n.real("epsilon", 1e-5F), {}};
  n.output(0, n.emit(op, {x, per_channel(n, 1, channels, groups), per_channel(n, 2, channels, groups)}, n.type(x),
                     n.shape(x)));
}
void instance_normalization(NodeLowering& n) {
  if (n.rank(n.input(0)) < 3)
    n.contradiction("normalises " + to_text(n.shape(n.input(0))) + ", which has no spatial axis");
  normalisation(n, n.shape(n.input(0))[1]);
}
void group_normalization(NodeLowering& n) { normalisation(n, n.integer("num_groups", 0)); }

constexpr OperatorRow rows[] = {{"AveragePool", average_pool},
                                {"Conv", conv},
                                {"ConvTranspose", conv_transpose},
                                {"GroupNormalization", group_normalization},
                                {"InstanceNormalization", instance_normalization},
                                {"LpPool", lp_pool},
                                {"MaxPool", max_pool}};

}  // namespace

std::span<const OperatorRow> window_operators() { return rows; }

}  // namespace isocenter::infer
