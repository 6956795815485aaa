// The steps that kernels of ours run: the same code for the CPU and for a device that has the kernels.
#include <algorithm>
#include <array>

#include "infer/attention_steps.hpp"
#include "infer/channel_steps.hpp"
#include "infer/copy.hpp"
#include "infer/kernel_step.hpp"
#include "infer/loop_steps.hpp"
#include "infer/map.hpp"
#include "infer/reduce.hpp"
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

/// A scale and a shift by channel, as batch normalisation is, on channels-last data.
bool is_channel_affine(const Schedule& s, const Node& node, const Map& map) {
  const Graph& g = s.graph;
  const Shape& out = g.value(node.output).shape;
  if (map.function != Function::affine || s.placement(node.output).layout != Layout::channels_last ||
      s.placement(node.inputs[0]).layout != Layout::channels_last || g.value(node.inputs[0]).shape != out)
    return false;
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId id) {
    const Value& v = g.value(id);
    return v.constant && v.constant->count() == out[1] && v.shape.size() + 1 >= out.size() &&
           v.shape[v.shape.size() + 1 - out.size()] == out[1];
  });
}

void add_map(StepBuilder& b, const Node& node, const Map& map) {
  if (is_channel_affine(b.schedule, node, map))
    return add_channel_affine(b, node.inputs[0], node.output, b.slot(node.inputs[1]), b.slot(node.inputs[2]), 0,
                              map.then);
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
  const auto narrow = [&](ValueId id) {
    const ElementType storage = b.schedule.placement(id).storage;
    if (storage == ElementType::f16) kernel.half = 1;
    return is_narrow(storage) ? 1 : 0;
  };
  kernel.narrow = narrow(node.output) << 3;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) kernel.narrow |= narrow(node.inputs[i]) << i;
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
template <class In, class Out>
void add_typed_copy(StepBuilder& b, std::vector<Axis> axes, Slot in, Slot out, float fill) {
  using Kernel = kernels::CopyKernelOf<In, Out>;
  axes = ordered(std::move(axes));
  if (axes[0].out != 1) axes.insert(axes.begin(), Axis{1, 1, {1, 0, 0}, nullptr});  // one channel into several
  constexpr std::size_t most_z = Kernel::most_z;
  std::array<Slot, 2 + most_z> tables{};
  std::array<bool, 2 + most_z> has_table{};
  for (std::size_t i = 0; i < axes.size(); ++i)
    if ((has_table[i] = axes[i].table != nullptr)) tables[i] = b.constants.add(*axes[i].table);
  Kernel kernel{};
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
  add_step(b, kernel, n, [=](Kernel& k, const Addresses& a) {
    k.in = a.at<In>(in);
    k.out = a.at<Out>(out);
    const auto table = [&](std::size_t i) { return has_table[i] ? a.at<std::int32_t>(tables[i]) : nullptr; };
    k.table_x = table(0);
    k.table_y = table(1);
    for (std::size_t i = 0; i < most_z; ++i) k.table_z[i] = table(2 + i);
  });
}

/// From one value, or a part of it, to another: `out` points into `to`.
void add_copy(StepBuilder& b, std::vector<Axis> axes, ValueId from, ValueId to, Slot out, float fill) {
  with_storages(b.schedule.placement(from).storage, b.schedule.placement(to).storage, [&](auto in_type, auto out_type) {
    add_typed_copy<decltype(in_type), decltype(out_type)>(b, std::move(axes), b.slot(from), out, fill);
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
  add_copy(b, std::move(axes), node.inputs[0], node.output, b.slot(node.output), static_cast<float>(copy.fill));
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
    if (b.schedule.placement(id).buffer == out.buffer) {  // it was made in its place
      at += shape[axis];
      continue;
    }
    out.offset += at * to[axis] * bytes_of(b.schedule.placement(node.output).storage);
    add_copy(b, std::move(axes), id, node.output, out, 0.0F);
    at += shape[axis];
  }
}

}  // namespace

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

namespace {

void add_reduction(StepBuilder& b, const Node& node, const Reduction& reduction) {
  const Shape &in = b.schedule.graph.value(node.inputs[0]).shape, &out = b.schedule.graph.value(node.output).shape;
  const auto &from = b.schedule.placement(node.inputs[0]).strides, &to = b.schedule.placement(node.output).strides;
  with_storage(b.schedule.placement(node.inputs[0]).storage, [&](auto type) {
    using T = decltype(type);
    kernels::ReduceKernelOf<T> kernel{};
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
    add_step(b, kernel, n,
             [in_slot = b.slot(node.inputs[0]), out_slot = b.slot(node.output)](auto& k, const Addresses& a) {
               k.in = a.at<T>(in_slot);
               k.out = a.at(out_slot);
             });
  });
}

}  // namespace

void add_copy_step(StepBuilder& b, ValueId from, ValueId to) {
  const Shape& shape = b.schedule.graph.value(to).shape;
  std::vector<Axis> axes(shape.size());
  for (std::size_t k = 0; k < shape.size(); ++k)
    axes[k] = {shape[k], b.schedule.placement(to).strides[k], {b.schedule.placement(from).strides[k], 0, 0}, nullptr};
  add_copy(b, std::move(axes), from, to, b.slot(to), 0.0F);
}

void add_map_step(StepBuilder& b, const Map& map, std::vector<ValueId> inputs, ValueId output) {
  add_map(b, Node{{}, {}, map, std::move(inputs), output}, map);
}

ValueId add_scratch_value(StepBuilder& b, int step, ValueId like, Layout layout) {
  const Value v = b.schedule.graph.value(like);
  const int scratch = add_scratch(b.schedule, step, element_count(v.shape) * bytes_of(v.type));
  b.schedule.placements.push_back({layout, strides_of(v.shape, layout), scratch, 0, v.type});
  return b.schedule.graph.add_value({v.name, v.type, v.shape, std::nullopt});
}

ValueId add_constant_value(StepBuilder& b, Array array) {
  const ElementType type = array.type();
  b.schedule.placements.push_back({Layout::plain, strides_of(array.shape(), Layout::plain), -1, 0, type});
  Shape shape = array.shape();
  return b.schedule.graph.add_value({{}, type, std::move(shape), std::move(array)});
}

ValueId in_plain_form(StepBuilder& b, int step, ValueId id, Layout layout) {
  if (is_plain_form(b.schedule, id, layout)) return id;
  const ValueId twin = add_scratch_value(b, step, id, layout);
  add_copy_step(b, id, twin);
  return twin;
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
        else if constexpr (std::is_same_v<Op, Softmax>)
          add_softmax(b, node, op);
        else if constexpr (std::is_same_v<Op, Reduction>)
          add_reduction(b, node, op);
        else if constexpr (std::is_same_v<Op, Loops>)
          add_loop_kernel(b, node_index, node, op);
        else if constexpr (std::is_same_v<Op, Attention>)
          add_attention(b, node_index, node, op);
        else
          add_channel_steps(b, node_index, node);
        return true;
      },
      node.operation);
}

}  // namespace isocenter::infer
