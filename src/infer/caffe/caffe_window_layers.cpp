// Caffe's layers with weights or windows.
#include <algorithm>

#include "infer/caffe/caffe_layer.hpp"

namespace isocenter::infer {
namespace {

using Extents = std::vector<std::int64_t>;

/// "stride: 2" for all axes, one value for each, or stride_h and stride_w; the same for kernel_size and pad.
Extents window_extents(const CaffeLayer& l, const TextMessage& p, const std::string& name,
                       const std::string& short_name, std::size_t axes, std::int64_t otherwise) {
  Extents values = p.integers(name);
  if (p.has(short_name + "_h") || p.has(short_name + "_w")) {
    if (!values.empty() || axes != 2)
      l.contradiction("has '" + short_name + "_h' or '" + short_name + "_w' beside '" + name + "' or for " +
                      std::to_string(axes) + " spatial axes");
    return {p.integer(short_name + "_h", otherwise), p.integer(short_name + "_w", otherwise)};
  }
  if (values.empty()) values = {otherwise};
  if (values.size() == 1) values.resize(axes, values[0]);
  if (values.size() != axes)
    l.contradiction("has " + std::to_string(values.size()) + " values of '" + name + "' for " + std::to_string(axes) +
                    " spatial axes");
  return values;
}

OnnxAttribute both_sides(Extents pads) {
  const std::size_t count = pads.size();
  for (std::size_t i = 0; i < count; ++i) pads.push_back(pads[i]);
  return pads;
}

/// Blobs of vectors have four axes in old files: (1, 1, 1, n).
Array as_vector(const Array& blob) { return blob.reshaped({blob.count()}); }

/// The weights are (out, in / group, kernel...), for a Deconvolution (in, out / group, kernel...), as in ONNX.
void convolution(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("convolution_param");
  p.set_aside({"weight_filler", "bias_filler", "engine", "force_nd_im2col"});
  const bool transposed = l.type() == "Deconvolution", bias = p.flag("bias_term", true);
  l.expect_blobs(bias ? 2 : 1);
  const Array& weights = l.blob(0);
  const std::size_t rank = weights.shape().size(), axes = rank < 3 ? 0 : rank - 2;
  if (l.axis(p.integer("axis", 1), l.bottom().rank) != 1 || axes == 0 ||
      rank != static_cast<std::size_t>(l.bottom().rank))
    l.contradiction("has weights of " + to_text(weights.shape()) + " for a blob of " + std::to_string(l.bottom().rank) +
                    " axes; the channels are axis 1");
  const std::int64_t group = p.integer("group", 1), outputs = p.integer("num_output", 0);
  const std::int64_t held =
      transposed ? weights.shape()[1] * std::clamp<std::int64_t>(group, 1, 1 << 20) : weights.shape()[0];
  const Extents kernel = window_extents(l, p, "kernel_size", "kernel", axes, 0);
  if (held != outputs || !std::equal(kernel.begin(), kernel.end(), weights.shape().begin() + 2))
    l.contradiction("has num_output " + std::to_string(outputs) + " and a kernel of " + to_text(kernel) +
                    ", and its weights are " + to_text(weights.shape()));
  std::vector<std::string> inputs{l.bottom().name, l.constant(weights)};
  if (bias) inputs.push_back(l.constant(as_vector(l.blob(1))));
  const Extents strides = window_extents(l, p, "stride", "stride", axes, 1);
  const Extents pads = window_extents(l, p, "pad", "pad", axes, 0);
  const Extents dilations = window_extents(l, p, "dilation", "dilation", axes, 1);
  l.top(0, l.node(transposed ? "ConvTranspose" : "Conv", std::move(inputs), l.bottom().rank,
                  {{"group", group},
                   {"kernel_shape", kernel},
                   {"strides", strides},
                   {"pads", both_sides(pads)},
                   {"dilations", dilations}}));
}

void inner_product(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("inner_product_param");
  p.set_aside({"weight_filler", "bias_filler"});
  const bool bias = p.flag("bias_term", true), transposed = p.flag("transpose", false);
  const int rank = l.bottom().rank, axis = l.axis(p.integer("axis", 1), rank);
  const std::int64_t outputs = p.integer("num_output", 0);
  l.expect_blobs(bias ? 2 : 1);
  const Shape& shape = l.blob(0).shape();
  const bool matrix = shape.size() == 2 || (shape.size() == 4 && shape[0] == 1 && shape[1] == 1);
  if (!matrix || shape[shape.size() - (transposed ? 1 : 2)] != outputs)
    l.contradiction("has num_output " + std::to_string(outputs) + ", and its weights are " + to_text(shape));
  const std::string weights = l.constant(l.blob(0).reshaped({shape[shape.size() - 2], shape[shape.size() - 1]}));
  if (axis == 1) {
    std::vector<std::string> inputs{l.node("Flatten", {l.bottom().name}, 2, {{"axis", std::int64_t{1}}}).name, weights};
    if (bias) inputs.push_back(l.constant(as_vector(l.blob(1))));
    return l.top(0, l.node("Gemm", std::move(inputs), 2, {{"transB", std::int64_t{transposed ? 0 : 1}}}));
  }
  Extents rows(static_cast<std::size_t>(axis), 0);  // as they are
  rows.push_back(-1);
  const CaffeValue x = l.node("Reshape", {l.bottom().name, l.integers(rows)}, axis + 1);
  const std::string factors = transposed ? weights : l.node("Transpose", {weights}, 2).name;
  CaffeValue y = l.node("MatMul", {x.name, factors}, axis + 1);
  if (bias) y = l.node("Add", {y.name, l.constant(as_vector(l.blob(1)))}, axis + 1);
  l.top(0, y);
}

/// Caffe rounds the number of windows up, drops one that would begin in the end's padding, and counts the padding in
/// a mean; ONNX's ceil_mode and count_include_pad say the same.
void pooling(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("pooling_param");
  p.set_aside({"engine"});
  const std::string method = p.text("pool", "MAX"), rounding = p.text("round_mode", "CEIL");
  const bool maximum = method == "MAX" || method == "0";
  if (!maximum && method != "AVE" && method != "1")
    l.unsupported("pools by '" + method + "', and MAX and AVE are known", "train the network with one of them");
  const int rank = l.bottom().rank;
  if (rank < 3 || rank > 5) l.contradiction("pools a blob of " + std::to_string(rank) + " axes");
  const auto axes = static_cast<std::size_t>(rank - 2);
  if (p.flag("global_pooling", false)) {
    if (p.has("kernel_size") || p.has("kernel_h") || p.has("kernel_w"))
      l.contradiction("has a kernel and global_pooling");
    for (const auto* name : {"pad", "stride"})
      for (const std::int64_t v : window_extents(l, p, name, name, axes, name[0] == 'p' ? 0 : 1))
        if (v != (name[0] == 'p' ? 0 : 1))
          l.contradiction(std::string("has '") + name + "' " + std::to_string(v) + " and global_pooling");
    return l.top(0, l.node(maximum ? "GlobalMaxPool" : "GlobalAveragePool", {l.bottom().name}, rank));
  }
  if (rounding != "CEIL" && rounding != "0" && rounding != "FLOOR" && rounding != "1")
    l.contradiction("has round_mode '" + rounding + "', and CEIL and FLOOR are known");
  const bool ceil = (rounding == "CEIL" || rounding == "0") && p.flag("ceil_mode", true);
  std::map<std::string, OnnxAttribute> attributes{
      {"kernel_shape", window_extents(l, p, "kernel_size", "kernel", axes, 0)},
      {"strides", window_extents(l, p, "stride", "stride", axes, 1)},
      {"pads", both_sides(window_extents(l, p, "pad", "pad", axes, 0))},
      {"ceil_mode", std::int64_t{ceil}}};
  if (!maximum) attributes["count_include_pad"] = std::int64_t{1};
  l.top(0, l.node(maximum ? "MaxPool" : "AveragePool", {l.bottom().name}, rank, std::move(attributes)));
}

/// A. Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012, section 3.3,
/// with alpha over the window's size; within a channel the window is a square, and k is 1.
void local_response(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("lrn_param");
  p.set_aside({"engine"});
  const std::int64_t size = p.integer("local_size", 5);
  const double alpha = p.real("alpha", 1), beta = p.real("beta", 0.75), k = p.real("k", 1);
  const std::string region = p.text("norm_region", "ACROSS_CHANNELS");
  const int rank = l.bottom().rank;
  if (size < 1 || size % 2 == 0) l.contradiction("has local_size " + std::to_string(size) + "; odd sizes are allowed");
  if (region == "ACROSS_CHANNELS" || region == "0")
    return l.top(0, l.node("LRN", {l.bottom().name}, rank,
                           {{"size", size},
                            {"alpha", static_cast<float>(alpha)},
                            {"beta", static_cast<float>(beta)},
                            {"bias", static_cast<float>(k)}}));
  if (region != "WITHIN_CHANNEL" && region != "1") l.contradiction("has norm_region '" + region + "'");
  const Extents window(static_cast<std::size_t>(std::max(0, rank - 2)), size), pads(2 * window.size(), (size - 1) / 2);
  const CaffeValue squares = l.node("Mul", {l.bottom().name, l.bottom().name}, rank);
  const CaffeValue mean = l.node("AveragePool", {squares.name}, rank,
                                 {{"kernel_shape", window}, {"pads", pads}, {"count_include_pad", std::int64_t{1}}});
  const CaffeValue scaled = l.node("Mul", {mean.name, l.number(alpha)}, rank);
  const CaffeValue sum = l.node("Add", {scaled.name, l.number(1)}, rank);
  const CaffeValue factor = l.node("Pow", {sum.name, l.number(-beta)}, rank);
  l.top(0, l.node("Mul", {l.bottom().name, factor.name}, rank));
}

/// The blobs are sums over the training's batches, the third how many there are.
void batch_norm(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("batch_norm_param");
  p.set_aside({"moving_average_fraction"});
  if (!p.flag("use_global_stats", true))
    l.unsupported("normalises by the batch's own mean and variance", "set use_global_stats to true for deployment");
  l.expect_blobs(3);
  const Array mean = as_vector(l.blob(0)), variance = as_vector(l.blob(1));
  if (l.blob(2).count() != 1 || mean.count() != variance.count())
    l.contradiction("has blobs of " + std::to_string(mean.count()) + ", " + std::to_string(variance.count()) + " and " +
                    std::to_string(l.blob(2).count()) + " numbers; the first two are as long, the third is one");
  const double count = l.blob(2).real(0), factor = count == 0 ? 0 : 1 / count;
  Array scale(ElementType::f32, mean.shape()), shift(ElementType::f32, mean.shape());
  Array m(ElementType::f32, mean.shape()), v(ElementType::f32, mean.shape());
  for (std::int64_t i = 0; i < mean.count(); ++i) {
    scale.set_real(i, 1);
    m.set_real(i, mean.real(i) * factor);
    v.set_real(i, variance.real(i) * factor);
  }
  l.top(0, l.node("BatchNormalization",
                  {l.bottom().name, l.constant(scale), l.constant(shift), l.constant(m), l.constant(v)},
                  l.bottom().rank, {{"epsilon", static_cast<float>(p.real("eps", 1e-5))}}));
}

/// A factor's or summand's axes lie along those of the blob from `axis` on: ones behind them broadcast.
std::string behind(CaffeLayer& l, const Array& blob, int axis) {
  Shape shape = blob.shape();
  const int ones = l.bottom().rank - axis - static_cast<int>(shape.size());
  if (ones < 0)
    l.contradiction("has a blob of " + to_text(shape) + " from axis " + std::to_string(axis) + " of " +
                    std::to_string(l.bottom().rank) + " on");
  shape.resize(shape.size() + static_cast<std::size_t>(ones), 1);
  return l.constant(blob.reshaped(std::move(shape)));
}
std::string behind(CaffeLayer& l, const CaffeValue& value, int axis) {
  const int ones = l.bottom().rank - axis - value.rank;
  if (ones < 0)
    l.contradiction("has a second blob of " + std::to_string(value.rank) + " axes from axis " + std::to_string(axis) +
                    " of " + std::to_string(l.bottom().rank) + " on");
  if (ones == 0) return value.name;
  Extents axes;
  for (int i = 0; i < ones; ++i) axes.push_back(value.rank + i);
  return l.node("Unsqueeze", {value.name, l.integers(axes)}, value.rank + ones).name;
}

void scale_or_bias(CaffeLayer& l) {
  const bool scale = l.type() == "Scale";
  const TextMessage& p = l.fields().message(scale ? "scale_param" : "bias_param");
  p.set_aside({"filler", "bias_filler", "num_axes"});  // the blob's own shape says how many axes
  const int rank = l.bottom().rank, axis = l.axis(p.integer("axis", 1), rank, true);
  const bool shifts = scale && p.flag("bias_term", false), learned = l.bottom_count() == 1;
  l.expect_blobs((learned ? 1U : 0U) + (shifts ? 1U : 0U));
  if (scale && learned && axis == 1 && rank > 1 && l.blob(0).shape().size() == 1 &&
      (!shifts || l.blob(1).shape() == l.blob(0).shape())) {  // folds into a convolution
    const Shape& shape = l.blob(0).shape();
    Array one(ElementType::f32, shape);
    for (std::int64_t i = 0; i < one.count(); ++i) one.set_real(i, 1);
    const std::string zero = l.constant(Array(ElementType::f32, shape));
    return l.top(0, l.node("BatchNormalization",
                           {l.bottom().name, l.constant(l.blob(0)), shifts ? l.constant(l.blob(1)) : zero, zero,
                            l.constant(one)},
                           rank, {{"epsilon", 0.0F}}));
  }
  const std::string other = learned ? behind(l, l.blob(0), axis) : behind(l, l.bottom(1), axis);
  CaffeValue y = l.node(scale ? "Mul" : "Add", {l.bottom().name, other}, rank);
  if (shifts) y = l.node("Add", {y.name, behind(l, l.blob(learned ? 1 : 0), axis)}, rank);
  l.top(0, y);
}

void prelu(CaffeLayer& l) {
  const TextMessage& p = l.fields().message("prelu_param");
  p.set_aside({"filler"});
  const bool shared = p.flag("channel_shared", false);
  l.expect_blobs(1);
  const Array slopes = as_vector(l.blob(0));
  if (shared && slopes.count() != 1)
    l.contradiction("shares one slope among the channels and has " + std::to_string(slopes.count()));
  Shape shape(static_cast<std::size_t>(std::max(1, l.bottom().rank - 1)), 1);
  shape[0] = slopes.count();
  l.top(0, l.node("PRelu", {l.bottom().name, l.constant(slopes.reshaped(shape))}, l.bottom().rank));
}

constexpr CaffeLayerRow rows[] = {{"BatchNorm", batch_norm, 1, 1, 1},
                                  {"Bias", scale_or_bias, 1, 2, 1},
                                  {"Convolution", convolution, 1, 1, 1},
                                  {"Deconvolution", convolution, 1, 1, 1},
                                  {"InnerProduct", inner_product, 1, 1, 1},
                                  {"LRN", local_response, 1, 1, 1},
                                  {"PReLU", prelu, 1, 1, 1},
                                  {"Pooling", pooling, 1, 1, 1},
                                  {"Scale", scale_or_bias, 1, 2, 1}};

}  // namespace

std::span<const CaffeLayerRow> caffe_window_layers() { return rows; }

}  // namespace isocenter::infer
