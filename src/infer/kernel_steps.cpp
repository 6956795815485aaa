// The steps that kernels of ours run: the same code for the CPU and for a device that has the kernels.
#include <algorithm>
#include <array>

#include "infer/copy.hpp"
#include "infer/direct_convolution.hpp"
#include "infer/kernel_step.hpp"
#include "infer/loop_steps.hpp"
#include "infer/map.hpp"
#include "infer/matrix_product.hpp"
#include "infer/moments.hpp"
#include "infer/pool.hpp"
#include "infer/reduce.hpp"
#include "infer/resample.hpp"
#include "infer/softmax.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

/// One loop of a strided kernel.
struct Axis {
  std::int64_t extent = 1;
  std::int64_t out = 0;                     ///< stride
  std::array<std::int64_t, 3> in{0, 0, 0};  ///< strides of the inputs
  const std::vector<std::int32_t>* table = nullptr;
};

/// Fastest axis first; axes of extent 1 dropped, neighbours merged while a row stays short enough to share among
/// threads.
std::vector<Axis> ordered(std::vector<Axis> axes) {
  constexpr std::int64_t longest_merged = 1 << 16;
  std::erase_if(axes, [](const Axis& a) { return a.extent == 1 && a.table == nullptr; });
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.out < b.out; });
  std::vector<Axis> merged;
  for (const Axis& a : axes) {
    if (!merged.empty()) {
      Axis& m = merged.back();
      const bool follows = a.out == m.out * m.extent && a.in[0] == m.in[0] * m.extent &&
                           a.in[1] == m.in[1] * m.extent && a.in[2] == m.in[2] * m.extent;
      if (follows && a.table == nullptr && m.table == nullptr && a.extent * m.extent <= longest_merged) {
        m.extent *= a.extent;
        continue;
      }
    }
    merged.push_back(a);
  }
  if (merged.empty()) merged.push_back(Axis{1, 1, {1, 1, 1}, nullptr});
  return merged;
}

Axis axis_or_one(const std::vector<Axis>& axes, std::size_t i) { return i < axes.size() ? axes[i] : Axis{}; }

void add_map(StepBuilder& b, const Node& node, const Map& map) {
  const Graph& g = b.schedule.graph;
  const Shape& out = g.value(node.output).shape;
  std::vector<Axis> axes(out.size());
  for (std::size_t k = 0; k < out.size(); ++k) {
    axes[k] = {out[k], b.schedule.placement(node.output).strides[k], {0, 0, 0}, nullptr};
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Shape& in = g.value(node.inputs[i]).shape;
      if (k + in.size() < out.size()) continue;
      const std::size_t own = k + in.size() - out.size();
      if (in[own] != 1) axes[k].in[i] = b.schedule.placement(node.inputs[i]).strides[own];
    }
  }
  axes = ordered(std::move(axes));
  kernels::MapKernel kernel{};
  kernel.function = map.function;
  kernel.alpha = map.alpha;
  kernel.beta = map.beta;
  kernel.then = map.then.function;
  kernel.then_alpha = map.then.alpha;
  kernel.then_beta = map.then.beta;
  kernel.inputs = static_cast<int>(node.inputs.size());
  const Axis y = axis_or_one(axes, 1);
  kernel.out_y = y.out;
  std::array<std::int64_t, 3> n{axes[0].extent, y.extent, 1};
  for (std::size_t i = 0; i < 3; ++i) {
    kernel.in_x[i] = static_cast<int>(axes[0].in[i]);
    kernel.in_y[i] = y.in[i];
  }
  for (std::size_t k = 0; k < 3; ++k) {
    const Axis z = axis_or_one(axes, 2 + k);
    kernel.extent_z[k] = static_cast<int>(z.extent);
    kernel.out_z[k] = z.out;
    for (std::size_t i = 0; i < 3; ++i) kernel.in_z[i][k] = z.in[i];
    n[2] *= z.extent;
  }
  std::array<Slot, 3> in{};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) in[i] = b.slot(node.inputs[i]);
  add_step(b, kernel, n, [in, out = b.slot(node.output)](kernels::MapKernel& k, const Addresses& a) {
    for (int i = 0; i < k.inputs; ++i) k.in[i] = a.at(in[static_cast<std::size_t>(i)]);
    k.out = a.at(out);
  });
}

/// Copies along the given axes; `out` is a slot that may point into a larger value.
void add_copy(StepBuilder& b, std::vector<Axis> axes, Slot in, Slot out, float fill) {
  axes = ordered(std::move(axes));
  if (axes[0].out != 1) axes.insert(axes.begin(), Axis{1, 1, {1, 0, 0}, nullptr});  // one channel into several
  constexpr std::size_t most_z = kernels::CopyKernel::most_z;
  std::array<Slot, 2 + most_z> tables{};
  std::array<bool, 2 + most_z> has_table{};
  for (std::size_t i = 0; i < axes.size(); ++i)
    if ((has_table[i] = axes[i].table != nullptr)) tables[i] = b.constants.add(*axes[i].table);
  kernels::CopyKernel kernel{};
  kernel.fill = fill;
  kernel.in_x = static_cast<int>(axes[0].in[0]);
  const Axis y = axis_or_one(axes, 1);
  kernel.in_y = y.in[0];
  kernel.out_y = y.out;
  std::array<std::int64_t, 3> n{axes[0].extent, y.extent, 1};
  kernel.axes_z = static_cast<int>(std::max<std::size_t>(axes.size(), 2)) - 2;
  for (std::size_t k = 0; k < most_z; ++k) {
    const Axis z = axis_or_one(axes, 2 + k);
    kernel.extent_z[k] = static_cast<int>(z.extent);
    kernel.in_z[k] = z.in[0];
    kernel.out_z[k] = z.out;
    n[2] *= z.extent;
  }
  add_step(b, kernel, n, [=](kernels::CopyKernel& k, const Addresses& a) {
    k.in = a.at(in);
    k.out = a.at(out);
    const auto table = [&](std::size_t i) { return has_table[i] ? a.at<std::int32_t>(tables[i]) : nullptr; };
    k.table_x = table(0);
    k.table_y = table(1);
    for (std::size_t i = 0; i < most_z; ++i) k.table_z[i] = table(2 + i);
  });
}

void add_copy(StepBuilder& b, const Node& node, const Copy& copy) {
  const Shape& out = b.schedule.graph.value(node.output).shape;
  const auto& to = b.schedule.placement(node.output).strides;
  const auto& from = b.schedule.placement(node.inputs[0]).strides;
  std::vector<Axis> axes(out.size());
  for (std::size_t k = 0; k < out.size(); ++k) {
    const std::int64_t stride = copy.axes[k] < 0 ? 0 : from[static_cast<std::size_t>(copy.axes[k])];
    axes[k] = {out[k], to[k], {stride, 0, 0}, copy.tables[k].empty() ? nullptr : &copy.tables[k]};
  }
  add_copy(b, std::move(axes), b.slot(node.inputs[0]), b.slot(node.output), static_cast<float>(copy.fill));
}

void add_concat(StepBuilder& b, const Node& node, const Concat& concat) {
  const auto& to = b.schedule.placement(node.output).strides;
  const auto axis = static_cast<std::size_t>(concat.axis);
  std::int64_t at = 0;
  for (const ValueId id : node.inputs) {
    const Shape& shape = b.schedule.graph.value(id).shape;
    const auto& from = b.schedule.placement(id).strides;
    std::vector<Axis> axes(shape.size());
    for (std::size_t k = 0; k < shape.size(); ++k) axes[k] = {shape[k], to[k], {from[k], 0, 0}, nullptr};
    Slot out = b.slot(node.output);
    out.offset += at * to[axis] * static_cast<std::int64_t>(sizeof(float));
    add_copy(b, std::move(axes), b.slot(id), out, 0.0F);
    at += shape[axis];
  }
}

/// Spatial extents as (d, h, w), missing ones 1 in front.
template <class T>
void spread(const T& values, std::size_t skip, int (&to)[3], int otherwise) {
  const std::size_t count = values.size() - skip;
  for (std::size_t k = 0; k < 3; ++k)
    to[k] = k + count < 3 ? otherwise : static_cast<int>(values[skip + k + count - 3]);
}

void add_pool(StepBuilder& b, const Node& node, const Pool& pool) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  kernels::PoolKernel k{};
  k.channels = static_cast<int>(out[1]);
  spread(in, 2, k.in_extent, 1);
  spread(out, 2, k.out_extent, 1);
  spread(pool.window.kernel, 0, k.kernel, 1);
  spread(pool.window.strides, 0, k.stride, 1);
  spread(pool.window.dilations, 0, k.dilation, 1);
  spread(pool.window.pads_begin, 0, k.pad_begin, 0);
  spread(pool.window.pads_end, 0, k.pad_end, 0);
  k.average = pool.kind == Pool::Kind::average ? 1 : 0;
  k.count_pads = pool.count_pads ? 1 : 0;
  add_step(b, k, {out[1], k.out_extent[2], out[0] * k.out_extent[0] * k.out_extent[1]},
           [in = b.slot(node.inputs[0]), out = b.slot(node.output)](kernels::PoolKernel& kernel, const Addresses& a) {
             kernel.in = a.at(in);
             kernel.out = a.at(out);
           });
}

void add_resample(StepBuilder& b, const Node& node, const Resample& resample) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  kernels::ResampleKernel k{};
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
  add_step(
      b, k, {out[1], k.out_extent[2], out[0] * k.out_extent[0] * k.out_extent[1]},
      [=, in = b.slot(node.inputs[0]), out = b.slot(node.output)](kernels::ResampleKernel& kernel, const Addresses& a) {
        kernel.in = a.at(in);
        kernel.out = a.at(out);
        for (std::size_t i = 0; i < 3; ++i) {
          kernel.indices[i] = a.at<std::int32_t>(indices[i]);
          kernel.weights[i] = a.at(weights[i]);
        }
      });
}

/// Moments by block, merged to a factor and a shift for each channel, then applied as an affine map.
void add_normalisation(StepBuilder& b, int node_index, const Node& node, const Normalisation& norm) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  const std::int64_t batch = shape[0], channels = shape[1];
  std::int64_t pixels = 1;
  for (std::size_t k = 2; k < shape.size(); ++k) pixels *= shape[k];
  const std::int64_t blocks = (pixels + kernels::moments_block - 1) / kernels::moments_block;
  const std::int64_t partial = batch * blocks * channels, factors = batch * channels;
  const auto bytes = [](std::int64_t count) { return count * static_cast<std::int64_t>(sizeof(float)); };
  const Slot mean{add_scratch(b.schedule, node_index, bytes(2 * partial + 2 * factors)), 0};
  const Slot squares{mean.buffer, bytes(partial)}, scale{mean.buffer, bytes(2 * partial)},
      shift{mean.buffer, bytes(2 * partial + factors)};
  const Slot in = b.slot(node.inputs[0]), out = b.slot(node.output), gamma = b.slot(node.inputs[1]),
             beta = b.slot(node.inputs[2]);

  kernels::PartialMomentsKernel first{};
  first.pixels = pixels;
  first.channels = static_cast<int>(channels);
  first.blocks = static_cast<int>(blocks);
  add_step(b, first, {channels, blocks, batch}, [=](kernels::PartialMomentsKernel& k, const Addresses& a) {
    k.in = a.at(in);
    k.mean = a.at(mean);
    k.squares = a.at(squares);
  });
  kernels::MergeMomentsKernel second{};
  second.pixels = pixels;
  second.channels = static_cast<int>(channels);
  second.blocks = static_cast<int>(blocks);
  second.channels_per_group = static_cast<int>(channels / norm.groups);
  second.epsilon = norm.epsilon;
  add_step(b, second, {channels, 1, batch}, [=](kernels::MergeMomentsKernel& k, const Addresses& a) {
    k.mean = a.at(mean);
    k.squares = a.at(squares);
    k.scale = a.at(gamma);
    k.shift = a.at(beta);
    k.a = a.at(scale);
    k.b = a.at(shift);
  });
  kernels::MapKernel third{};
  third.function = Function::affine;
  third.then = norm.then.function;
  third.then_alpha = norm.then.alpha;
  third.then_beta = norm.then.beta;
  third.inputs = 3;
  const auto rows = ordered({{channels, 1, {1, 1, 1}, nullptr},
                             {pixels, channels, {channels, 0, 0}, nullptr},
                             {batch, pixels * channels, {pixels * channels, channels, channels}, nullptr}});
  // At most three axes, the channel first unless there is only one of it.
  std::array<Axis, 3> n{axis_or_one(rows, 0), axis_or_one(rows, 1), axis_or_one(rows, 2)};
  third.out_y = n[1].out;
  third.out_z[0] = n[2].out;
  for (std::size_t i = 0; i < 3; ++i) {
    third.in_x[i] = static_cast<int>(n[0].in[i]);
    third.in_y[i] = n[1].in[i];
    third.in_z[i][0] = n[2].in[i];
    third.extent_z[i] = i == 0 ? static_cast<int>(n[2].extent) : 1;
  }
  add_step(b, third, {n[0].extent, n[1].extent, n[2].extent}, [=](kernels::MapKernel& k, const Addresses& a) {
    k.in[0] = a.at(in);
    k.in[1] = a.at(scale);
    k.in[2] = a.at(shift);
    k.out = a.at(out);
  });
}

void add_softmax(StepBuilder& b, const Node& node, const Softmax& softmax) {
  const Shape& shape = b.schedule.graph.value(node.output).shape;
  const auto& out = b.schedule.placement(node.output).strides;
  const auto axis = static_cast<std::size_t>(softmax.axis);
  std::vector<Axis> axes;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (k != axis) axes.push_back({shape[k], out[k], {out[k], 0, 0}, nullptr});
  axes = ordered(std::move(axes));
  kernels::SoftmaxKernel kernel{};
  kernel.count = static_cast<int>(shape[axis]);
  kernel.logarithm = softmax.log ? 1 : 0;
  kernel.step = out[axis];
  const Axis y = axis_or_one(axes, 1), z0 = axis_or_one(axes, 2), z1 = axis_or_one(axes, 3);
  kernel.step_x = static_cast<int>(axes[0].out);
  kernel.step_y = y.out;
  kernel.extent_z[0] = static_cast<int>(z0.extent);
  kernel.extent_z[1] = static_cast<int>(z1.extent);
  kernel.step_z[0] = z0.out;
  kernel.step_z[1] = z1.out;
  add_step(
      b, kernel, {axes[0].extent, y.extent, z0.extent * z1.extent},
      [in = b.slot(node.inputs[0]), out_slot = b.slot(node.output)](kernels::SoftmaxKernel& k, const Addresses& a) {
        k.in = a.at(in);
        k.out = a.at(out_slot);
      });
}

void add_reduction(StepBuilder& b, const Node& node, const Reduction& reduction) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  const auto &from = b.schedule.placement(node.inputs[0]).strides, &to = b.schedule.placement(node.output).strides;
  kernels::ReduceKernel kernel{};
  kernel.kind = static_cast<int>(reduction.kind);
  std::fill(std::begin(kernel.extent), std::end(kernel.extent), 1);
  for (std::size_t i = 0; i < reduction.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(reduction.axes[i]);
    kernel.extent[i] = static_cast<int>(in[axis]);
    kernel.step[i] = from[axis];
  }
  std::vector<Axis> axes;
  for (std::size_t k = 0; k < out.size(); ++k)
    if (std::find(reduction.axes.begin(), reduction.axes.end(), static_cast<int>(k)) == reduction.axes.end())
      axes.push_back({out[k], to[k], {from[k], 0, 0}, nullptr});
  axes = ordered(std::move(axes));
  const Axis y = axis_or_one(axes, 1);
  kernel.in_x = static_cast<int>(axes[0].in[0]);
  kernel.in_y = y.in[0];
  kernel.out_y = y.out;
  std::array<std::int64_t, 3> n{axes[0].extent, y.extent, 1};
  for (std::size_t k = 0; k < 3; ++k) {
    const Axis z = axis_or_one(axes, 2 + k);
    kernel.extent_z[k] = static_cast<int>(z.extent);
    kernel.in_z[k] = z.in[0];
    kernel.out_z[k] = z.out;
    n[2] *= z.extent;
  }
  add_step(
      b, kernel, n,
      [in_slot = b.slot(node.inputs[0]), out_slot = b.slot(node.output)](kernels::ReduceKernel& k, const Addresses& a) {
        k.in = a.at(in_slot);
        k.out = a.at(out_slot);
      });
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
  const Slot bias = product.bias ? b.slot(node.inputs[2]) : Slot{};
  add_step(b, k, {k.columns, k.rows, static_cast<std::int64_t>(k.extent_z[0]) * k.extent_z[1] * k.extent_z[2]},
           [=, has_bias = product.bias, a_slot = b.slot(node.inputs[0]), b_slot = b.slot(node.inputs[1]),
            y = b.slot(node.output)](kernels::MatrixProductKernel& kernel, const Addresses& addresses) {
             kernel.a = addresses.at(a_slot);
             kernel.b = addresses.at(b_slot);
             kernel.bias = has_bias ? addresses.at(bias) : nullptr;
             kernel.out = addresses.at(y);
           });
}

}  // namespace

void add_copy_step(StepBuilder& b, ValueId from, ValueId to) {
  const Shape& shape = b.schedule.graph.value(to).shape;
  std::vector<Axis> axes(shape.size());
  for (std::size_t k = 0; k < shape.size(); ++k)
    axes[k] = {shape[k], b.schedule.placement(to).strides[k], {b.schedule.placement(from).strides[k], 0, 0}, nullptr};
  add_copy(b, std::move(axes), b.slot(from), b.slot(to), 0.0F);
}

void add_map_step(StepBuilder& b, const Map& map, std::vector<ValueId> inputs, ValueId output) {
  add_map(b, Node{{}, {}, map, std::move(inputs), output}, map);
}

ValueId add_scratch_value(StepBuilder& b, int step, ValueId like, Layout layout) {
  const Value v = b.schedule.graph.value(like);
  const int scratch = add_scratch(b.schedule, step, element_count(v.shape) * bytes_of(v.type));
  b.schedule.placements.push_back({layout, strides_of(v.shape, layout), scratch});
  return b.schedule.graph.add_value({v.name, v.type, v.shape, std::nullopt});
}

ValueId add_constant_value(StepBuilder& b, Array array) {
  b.schedule.placements.push_back({Layout::plain, strides_of(array.shape(), Layout::plain), -1});
  const ElementType type = array.type();
  Shape shape = array.shape();
  return b.schedule.graph.add_value({{}, type, std::move(shape), std::move(array)});
}

bool add_kernel_steps(StepBuilder& b, int node_index) {
  const Node node = b.schedule.graph.nodes[static_cast<std::size_t>(node_index)];
  if (!has_kernel(b.schedule.graph, node)) return false;
  return std::visit(
      [&](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, Map>)
          add_map(b, node, op);
        else if constexpr (std::is_same_v<Op, Copy>)
          add_copy(b, node, op);
        else if constexpr (std::is_same_v<Op, Concat>)
          add_concat(b, node, op);
        else if constexpr (std::is_same_v<Op, Pool>)
          add_pool(b, node, op);
        else if constexpr (std::is_same_v<Op, Resample>)
          add_resample(b, node, op);
        else if constexpr (std::is_same_v<Op, Normalisation>)
          add_normalisation(b, node_index, node, op);
        else if constexpr (std::is_same_v<Op, Softmax>)
          add_softmax(b, node, op);
        else if constexpr (std::is_same_v<Op, Reduction>)
          add_reduction(b, node, op);
        else if constexpr (std::is_same_v<Op, Convolution>)
          add_direct_convolution(b, node, op);
        else if constexpr (std::is_same_v<Op, MatrixProduct>)
          add_matrix_product(b, node, op);
        else if constexpr (std::is_same_v<Op, Loops>)
          add_loop_kernel(b, node, op);
        return true;
      },
      node.operation);
}

}  // namespace isocenter::infer
