#include "infer/channel_steps.hpp"

#include <algorithm>
#include <array>

#include "infer/channels_avx512.hpp"
#include "infer/direct_convolution.hpp"
#include "infer/kernel_step.hpp"
#include "infer/matrix_product.hpp"
#include "infer/resample.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

/// A step over channels, sixteen of them in a register where the processor has that.
template <class K, class Bind>
class ChannelStep final : public Step {
 public:
  ChannelStep(K kernel, bool narrow, std::array<std::int64_t, 3> n, Bind bind)
      : kernel_(kernel), narrow_(narrow), n_(n), bind_(std::move(bind)) {}
  void bind(const Addresses& addresses) override { bind_(kernel_, addresses); }
  void run(const kernels::Launcher& launcher) override {
    launch_wide(launcher, kernel_, narrow_, static_cast<int>(n_[0]), static_cast<int>(n_[1]), static_cast<int>(n_[2]));
  }

 private:
  K kernel_;
  bool narrow_;
  std::array<std::int64_t, 3> n_;
  Bind bind_;
};

template <class K, class Bind>
void add_channel_step(StepBuilder& b, const K& kernel, bool narrow, std::array<std::int64_t, 3> n, Bind bind) {
  b.steps.push_back(std::make_unique<ChannelStep<K, Bind>>(kernel, narrow, n, std::move(bind)));
}

/// Spatial extents as (d, h, w), missing ones 1 in front.
template <class T>
void spread(const T& values, std::size_t skip, int (&to)[3], int otherwise) {
  const std::size_t count = values.size() - skip;
  for (std::size_t k = 0; k < 3; ++k)
    to[k] = k + count < 3 ? otherwise : static_cast<int>(values[skip + k + count - 3]);
}

/// Elements from one pixel of channels-last data to the next.
std::int64_t pixel_stride(const Schedule& s, ValueId id) {
  const Placement& p = s.placement(id);
  return p.layout == Layout::channels_last ? p.strides.back() : s.graph.value(id).shape[1];
}

void add_pool(StepBuilder& b, const Node& node, const Pool& pool) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  with_storage(b.schedule.placement(node.output).storage, [&](auto type) {
    using T = decltype(type);
    kernels::PoolKernelOf<T> k{};
    k.in_step = static_cast<int>(pixel_stride(b.schedule, node.inputs[0]));
    k.out_step = static_cast<int>(pixel_stride(b.schedule, node.output));
    spread(in, 2, k.in_extent, 1);
    spread(out, 2, k.out_extent, 1);
    spread(pool.window.kernel, 0, k.kernel, 1);
    spread(pool.window.strides, 0, k.stride, 1);
    spread(pool.window.dilations, 0, k.dilation, 1);
    spread(pool.window.pads_begin, 0, k.pad_begin, 0);
    spread(pool.window.pads_end, 0, k.pad_end, 0);
    k.average = pool.kind == Pool::Kind::average ? 1 : 0;
    k.count_pads = pool.count_pads ? 1 : 0;
    add_channel_step(b, k, sizeof(T) == 2, {out[1], k.out_extent[2], out[0] * k.out_extent[0] * k.out_extent[1]},
                     [in = b.slot(node.inputs[0]), out = b.slot(node.output)](auto& kernel, const Addresses& a) {
                       kernel.in = a.at<T>(in);
                       kernel.out = a.at<T>(out);
                     });
  });
}

void add_resample(StepBuilder& b, const Node& node, const Resample& resample) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  with_storage(b.schedule.placement(node.output).storage, [&](auto type) {
    using T = decltype(type);
    kernels::ResampleKernelOf<T> k{};
    k.channels = static_cast<int>(out[1]);
    spread(in, 2, k.in_extent, 1);
    spread(out, 2, k.out_extent, 1);
    std::array<Slot, 3> indices{}, weights{};
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t spatial = out.size() - 2;
      AxisTaps taps;
      if (i + spatial >= 3) taps = resample.axes[2 + i + spatial - 3];
      if (taps.taps == 0) {  // an axis that stays: one tap of weight 1
        taps.taps = 1;
        for (int p = 0; p < k.out_extent[i]; ++p) taps.indices.push_back(p);
        taps.weights.assign(taps.indices.size(), 1.0F);
      }
      k.taps[i] = taps.taps;
      indices[i] = b.constants.add(taps.indices);
      weights[i] = b.constants.add(taps.weights);
    }
    add_step(b, k, {out[1], k.out_extent[2], out[0] * k.out_extent[0] * k.out_extent[1]},
             [=, in = b.slot(node.inputs[0]), out = b.slot(node.output)](auto& kernel, const Addresses& a) {
               kernel.in = a.at<T>(in);
               kernel.out = a.at<T>(out);
               for (std::size_t i = 0; i < 3; ++i) {
                 kernel.indices[i] = a.at<std::int32_t>(indices[i]);
                 kernel.weights[i] = a.at(weights[i]);
               }
             });
  });
}

}  // namespace

void add_channel_affine(StepBuilder& b, ValueId from, ValueId to, Slot scale, Slot shift, std::int64_t factors_z,
                        const Activation& then) {
  constexpr std::int64_t block_elements = 4096;  // what a thread has in its first-level cache
  const Shape& shape = b.schedule.graph.value(to).shape;
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < shape.size(); ++k) pixels *= shape[k];
  const Placement &in = b.schedule.placement(from), &out = b.schedule.placement(to);
  with_storages(in.storage, out.storage, [&](auto in_type, auto out_type) {
    using In = decltype(in_type);
    using Out = decltype(out_type);
    kernels::ChannelAffineKernelOf<In, Out> k{};
    k.in_y = pixel_stride(b.schedule, from);
    k.out_y = pixel_stride(b.schedule, to);
    k.in_z = in.strides[0];
    k.out_z = out.strides[0];
    k.factors_z = factors_z;
    k.pixels = pixels;
    k.block = static_cast<int>(std::max<std::int64_t>(1, block_elements / shape[1]));
    k.then = then.function;
    k.alpha = then.alpha;
    k.beta = then.beta;
    add_channel_step(b, k, sizeof(In) == 2 || sizeof(Out) == 2, {shape[1], (pixels + k.block - 1) / k.block, shape[0]},
                     [=, x = b.slot(from), y = b.slot(to)](auto& kernel, const Addresses& a) {
                       kernel.in = a.at<In>(x);
                       kernel.out = a.at<Out>(y);
                       kernel.scale = a.at(scale);
                       kernel.shift = a.at(shift);
                     });
  });
}

namespace {

/// Moments by block, merged to a factor and a shift for each channel, then applied as an affine map.
void add_normalisation(StepBuilder& b, int node_index, const Node& node, const Normalisation& norm) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  const std::int64_t batch = shape[0], channels = shape[1];
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < shape.size(); ++k) pixels *= shape[k];
  const std::int64_t blocks = (pixels + kernels::moments_block - 1) / kernels::moments_block;
  const std::int64_t run = kernels::moments_run(blocks, channels / norm.groups),
                     runs = run > 0 ? (blocks + run - 1) / run : 0;
  const std::int64_t partial = batch * blocks * channels, combined = batch * runs * norm.groups,
                     factors = batch * channels;
  const auto bytes = [](std::int64_t count) { return count * static_cast<std::int64_t>(sizeof(float)); };
  const int scratch = add_scratch(b.schedule, node_index, bytes(2 * (partial + combined + factors)));
  const auto at = [&](std::int64_t count) { return Slot{scratch, bytes(count)}; };
  const Slot mean = at(0), squares = at(partial), scale = at(2 * partial), shift = at(2 * partial + factors),
             run_mean = at(2 * (partial + factors)), run_squares = at(2 * (partial + factors) + combined);
  const Slot in = b.slot(node.inputs[0]), gamma = b.slot(node.inputs[1]), beta = b.slot(node.inputs[2]);

  with_storage(b.schedule.placement(node.inputs[0]).storage, [&](auto type) {
    using T = decltype(type);
    kernels::PartialMomentsKernelOf<T> first{};
    first.pixels = pixels;
    first.channels = static_cast<int>(channels);
    first.blocks = static_cast<int>(blocks);
    add_channel_step(b, first, sizeof(T) == 2, {channels, blocks, batch}, [=](auto& k, const Addresses& a) {
      k.in = a.at<T>(in);
      k.mean = a.at(mean);
      k.squares = a.at(squares);
    });
  });
  kernels::MergeMomentsKernel last{};
  last.pixels = pixels;
  last.channels = static_cast<int>(channels);
  last.blocks = static_cast<int>(blocks);
  last.channels_per_group = static_cast<int>(channels / norm.groups);
  last.epsilon = norm.epsilon;
  if (run > 0) {
    kernels::CombineMomentsKernel combine{};
    combine.pixels = pixels;
    combine.channels = last.channels;
    combine.blocks = last.blocks;
    combine.channels_per_group = last.channels_per_group;
    combine.run = static_cast<int>(run);
    add_step(b, combine, {norm.groups, runs, batch}, [=](kernels::CombineMomentsKernel& k, const Addresses& a) {
      k.mean = a.at(mean);
      k.squares = a.at(squares);
      k.combined_mean = a.at(run_mean);
      k.combined_squares = a.at(run_squares);
    });
    last.blocks = static_cast<int>(runs);
    last.entry_pixels = run * kernels::moments_block;
    last.entry_channels = last.channels_per_group;
  }
  add_step(b, last, {channels, 1, batch},
           [=, from_mean = run > 0 ? run_mean : mean, from_squares = run > 0 ? run_squares : squares](
               kernels::MergeMomentsKernel& k, const Addresses& a) {
             k.mean = a.at(from_mean);
             k.squares = a.at(from_squares);
             k.scale = a.at(gamma);
             k.shift = a.at(beta);
             k.a = a.at(scale);
             k.b = a.at(shift);
           });
  add_channel_affine(b, node.inputs[0], node.output, scale, shift, channels, norm.then);
}

/// The weights as the direct kernel reads them: [tap][input channel of the group][output channel].
std::vector<float> direct_weights(const Convolution& conv, const Array& w, std::int64_t ins, std::int64_t outs) {
  const std::int64_t in_g = ins / conv.groups, out_g = outs / conv.groups;
  std::int64_t taps = 1;
  for (std::size_t k = 2; k < w.shape().size(); ++k) taps *= w.shape()[k];
  std::vector<float> packed(static_cast<std::size_t>(w.count()));
  for (std::int64_t o = 0; o < outs; ++o)
    for (std::int64_t i = 0; i < in_g; ++i)
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t row = conv.transposed ? (o / out_g * in_g + i) * out_g + o % out_g : o * in_g + i;
        packed[static_cast<std::size_t>((t * in_g + i) * outs + o)] = w.as<float>()[row * taps + t];
      }
  return packed;
}

void add_direct_convolution(StepBuilder& b, const Node& node, const Convolution& conv) {
  const Graph& g = b.schedule.graph;
  const Shape &in = g.value(node.inputs[0]).shape, &out = g.value(node.output).shape;
  kernels::DirectConvolutionKernel k{};
  k.channels_in = static_cast<int>(in[1]);
  k.channels_out = static_cast<int>(out[1]);
  k.groups = static_cast<int>(conv.groups);
  spread(in, 2, k.in_extent, 1);
  spread(out, 2, k.out_extent, 1);
  spread(conv.window.kernel, 0, k.kernel, 1);
  spread(conv.window.strides, 0, k.stride, 1);
  spread(conv.window.dilations, 0, k.dilation, 1);
  spread(conv.window.pads_begin, 0, k.pad_begin, 0);
  k.transposed = conv.transposed ? 1 : 0;
  k.then = conv.then.function;
  k.alpha = conv.then.alpha;
  k.beta = conv.then.beta;
  const Slot weights = b.constants.add(direct_weights(conv, *g.value(node.inputs[1]).constant, in[1], out[1]));
  const Slot bias = conv.bias ? b.slot(node.inputs[2]) : Slot{},
             residual = conv.residual ? b.slot(node.inputs.back()) : Slot{};
  add_step(b, k, {out[1], k.out_extent[2], out[0] * k.out_extent[0] * k.out_extent[1]},
           [=, has_bias = conv.bias, has_residual = conv.residual, x = b.slot(node.inputs[0]), y = b.slot(node.output)](
               kernels::DirectConvolutionKernel& kernel, const Addresses& a) {
             kernel.in = a.at(x);
             kernel.weights = a.at(weights);
             kernel.bias = has_bias ? a.at(bias) : nullptr;
             kernel.residual = has_residual ? a.at(residual) : nullptr;
             kernel.out = a.at(y);
           });
}

void add_matrix_product(StepBuilder& b, const Node& node, const MatrixProduct& product) {
  const Graph& g = b.schedule.graph;
  const Shape& out = g.value(node.output).shape;
  const std::size_t rank = out.size();
  kernels::MatrixProductKernel k{};
  k.rows = static_cast<int>(out[rank - 2]);
  k.columns = static_cast<int>(out[rank - 1]);
  const auto operand = [&](std::size_t i, bool transpose, std::int64_t(&z)[3], std::int64_t& row,
                           std::int64_t& column) {
    const Shape& s = g.value(node.inputs[i]).shape;
    const Shape strides = dense_strides(s);
    row = strides[s.size() - (transpose ? 1 : 2)];
    column = strides[s.size() - (transpose ? 2 : 1)];
    for (std::size_t axis = 0; axis + 2 < rank; ++axis) {  // the last batch axis is the fastest
      const std::size_t slot = rank - 3 - axis, own = axis + s.size() - rank;
      z[slot] = axis + s.size() >= rank && s[own] > 1 ? strides[own] : 0;
      k.extent_z[slot] = static_cast<int>(out[axis]);
    }
    return s[s.size() - (transpose ? 2 : 1)];
  };
  std::fill(std::begin(k.extent_z), std::end(k.extent_z), 1);
  std::int64_t column = 0;
  k.depth = static_cast<int>(operand(0, product.transpose_a, k.a_z, k.a_row, k.a_depth));
  operand(1, product.transpose_b, k.b_z, k.b_depth, column);
  k.b_column = static_cast<int>(column);
  const Slot bias = product.bias ? b.slot(node.inputs[2]) : Slot{},
             residual = product.residual ? b.slot(node.inputs.back()) : Slot{};
  add_step(b, k, {k.columns, k.rows, static_cast<std::int64_t>(k.extent_z[0]) * k.extent_z[1] * k.extent_z[2]},
           [=, has_bias = product.bias, has_residual = product.residual, a_slot = b.slot(node.inputs[0]),
            b_slot = b.slot(node.inputs[1]),
            y = b.slot(node.output)](kernels::MatrixProductKernel& kernel, const Addresses& addresses) {
             kernel.a = addresses.at(a_slot);
             kernel.b = addresses.at(b_slot);
             kernel.bias = has_bias ? addresses.at(bias) : nullptr;
             kernel.residual = has_residual ? addresses.at(residual) : nullptr;
             kernel.out = addresses.at(y);
           });
  if (!product.then.none())
    add_map_step(b, Map{product.then.function, product.then.alpha, product.then.beta, {}}, {node.output}, node.output);
}

/// Runs a kernel that knows dense float32 alone on a node whose values are kept in 16 bits or in a wider array.
template <class Add>
void add_dense_float32(StepBuilder& b, int node_index, Node node, Add add) {
  const auto other = [&](ValueId id) {
    const Placement& p = b.schedule.placement(id);
    return is_narrow(p.storage) ||
           (p.layout == Layout::channels_last && p.strides.back() != b.schedule.graph.value(id).shape[1]);
  };
  for (auto& id : node.inputs)
    if (other(id)) id = in_plain_form(b, node_index, id, b.schedule.placement(id).layout);
  const ValueId out = node.output;
  if (other(out)) node.output = add_scratch_value(b, node_index, out, b.schedule.placement(out).layout);
  add(node);
  if (node.output != out) add_copy_step(b, node.output, out);
}

}  // namespace

void add_channel_steps(StepBuilder& b, int node_index, const Node& node) {
  if (const auto* pool = std::get_if<Pool>(&node.operation)) return add_pool(b, node, *pool);
  if (const auto* resample = std::get_if<Resample>(&node.operation)) return add_resample(b, node, *resample);
  if (const auto* norm = std::get_if<Normalisation>(&node.operation))
    return add_normalisation(b, node_index, node, *norm);
  if (const auto* conv = std::get_if<Convolution>(&node.operation))
    return add_dense_float32(b, node_index, node, [&](const Node& n) { add_direct_convolution(b, n, *conv); });
  if (const auto* product = std::get_if<MatrixProduct>(&node.operation))
    add_dense_float32(b, node_index, node, [&](const Node& n) { add_matrix_product(b, n, *product); });
}

}  // namespace isocenter::infer
