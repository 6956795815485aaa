#include "infer/cuda/exact_steps.hpp"

#include <algorithm>
#include <cstring>

#include "infer/element_form.hpp"
#include "infer/exact_map.hpp"
#include "infer/exact_reductions.hpp"
#include "infer/exact_windows.hpp"
#include "infer/kernel_step.hpp"
#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;
using kernels::ElementSource;
using kernels::ElementTarget;
using kernels::ExactWindow;
using kernels::Extents;

Extents extents_of(const Shape& shape) {
  Extents e{};
  e.axes = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), e.at);
  return e;
}

const Shape& shape_of(const StepBuilder& b, ValueId id) { return b.schedule.graph.value(id).shape; }
ElementType type_of(const StepBuilder& b, ValueId id) { return b.schedule.graph.value(id).type; }
ElementSource source_of(const StepBuilder& b, ValueId id) { return {nullptr, form_of(type_of(b, id))}; }
ElementTarget target_of(const StepBuilder& b, ValueId id) { return {nullptr, form_of(type_of(b, id))}; }

constexpr std::size_t most_spatial = 5;  ///< axes, items and channels among them, of what slides a window

/// Up to three extents as (d, h, w), missing ones in front.
void spread(const Shape& values, std::size_t skip, std::int64_t otherwise, std::int64_t (&to)[3]) {
  std::fill(std::begin(to), std::end(to), otherwise);
  for (std::size_t k = values.size(); k-- > skip;) to[3 - (values.size() - k)] = values[k];
}

ExactWindow window_of(const Window& w, const Shape& from, const Shape& to) {
  ExactWindow window{};
  spread(from, 2, 1, window.from);
  spread(to, 2, 1, window.to);
  spread(w.kernel, 0, 1, window.kernel);
  spread(w.strides, 0, 1, window.strides);
  spread(w.dilations, 0, 1, window.dilations);
  spread(w.pads_begin, 0, 0, window.pads_begin);
  spread(w.pads_end, 0, 0, window.pads_end);
  return window;
}

/// A kernel of one input `in` and one output `out`.
template <class K>
void add_unary(StepBuilder& b, const Node& node, K kernel, std::int64_t count) {
  kernel.in = source_of(b, node.inputs[0]);
  kernel.out = target_of(b, node.output);
  add_step(b, kernel, count_elements(count),
           [in = b.slot(node.inputs[0]), out = b.slot(node.output)](K& k, const Addresses& a) {
             k.in.data = a.at<std::byte>(in);
             k.out.data = a.at<std::byte>(out);
           });
}

/// One axis of dense data as (outer, extent, inner).
template <class K>
std::int64_t set_columns(K& kernel, const AroundAxis& around) {
  kernel.columns = around.outer * around.inner;
  kernel.inner = around.inner;
  kernel.extent = around.extent;
  return kernel.columns;
}

void add(StepBuilder& b, const Node& node, const Map& map) {
  const auto whole = [&](std::size_t i) { return !is_floating(type_of(b, node.inputs[i])); };
  const Shape& out = shape_of(b, node.output);
  kernels::ExactMapKernel kernel{};
  kernel.function = map.function;
  kernel.alpha = map.alpha;
  kernel.beta = map.beta;
  kernel.then = map.then.function;
  kernel.then_alpha = map.then.alpha;
  kernel.then_beta = map.then.beta;
  kernel.inputs = static_cast<int>(node.inputs.size());
  kernel.extents = extents_of(out);
  kernel.count = element_count(out);
  kernel.out = target_of(b, node.output);
  bool all_whole = true;
  std::vector<Slot> in;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    all_whole = all_whole && whole(i);
    const Shape& shape = shape_of(b, node.inputs[i]);
    const Shape strides = dense_strides(shape);
    for (std::size_t k = 0; k < shape.size(); ++k)
      kernel.step[i][out.size() - shape.size() + k] = shape[k] == 1 ? 0 : strides[k];
    kernel.in[i] = source_of(b, node.inputs[i]);
    in.push_back(b.slot(node.inputs[i]));
  }
  const bool copies = map.function == Function::identity && map.then.none();
  if (map.function == Function::where) all_whole = whole(1);
  kernel.whole = all_whole && !(copies && is_floating(type_of(b, node.output))) ? 1 : 0;
  kernel.saturates = copies && map.alpha != 0.0F ? 0 : 1;
  add_step(b, kernel, count_elements(kernel.count),
           [in, out_slot = b.slot(node.output)](kernels::ExactMapKernel& k, const Addresses& a) {
             for (std::size_t i = 0; i < in.size(); ++i) k.in[i].data = a.at<std::byte>(in[i]);
             k.out.data = a.at<std::byte>(out_slot);
           });
}

void add_pick(StepBuilder& b, kernels::PickKernel kernel, Slot in, Slot out, const std::vector<Slot>& tables = {}) {
  kernel.count = 1;
  for (int k = 0; k < kernel.extents.axes; ++k) kernel.count *= kernel.extents.at[k];
  if (kernel.count == 0) return;
  add_step(b, kernel, count_elements(kernel.count), [=](kernels::PickKernel& k, const Addresses& a) {
    k.in = a.at<std::byte>(in);
    k.out = a.at<std::byte>(out);
    for (std::size_t i = 0; i < tables.size(); ++i)
      k.table[i] = tables[i].offset < 0 ? nullptr : a.at<std::int32_t>(tables[i]);
  });
}

void add(StepBuilder& b, const Node& node, const Copy& copy) {
  const Shape &out = shape_of(b, node.output), &in = shape_of(b, node.inputs[0]);
  const Shape to = dense_strides(out), from = dense_strides(in);
  kernels::PickKernel kernel{};
  kernel.bytes = static_cast<int>(bytes_of(type_of(b, node.output)));
  kernel.extents = extents_of(out);
  write_real(type_of(b, node.output), reinterpret_cast<std::byte*>(&kernel.fill), 0, copy.fill);
  std::vector<Slot> tables(out.size(), Slot{-1, -1});
  for (std::size_t k = 0; k < out.size(); ++k) {
    kernel.out_step[k] = to[k];
    kernel.in_step[k] = copy.axes[k] < 0 ? 0 : from[static_cast<std::size_t>(copy.axes[k])];
    if (!copy.tables[k].empty()) tables[k] = b.constants.add(copy.tables[k]);
  }
  add_pick(b, kernel, b.slot(node.inputs[0]), b.slot(node.output), tables);
}

void add(StepBuilder& b, const Node& node, const Concat& concat) {
  const Shape to = dense_strides(shape_of(b, node.output));
  const auto axis = static_cast<std::size_t>(concat.axis);
  Slot out = b.slot(node.output);
  for (const ValueId id : node.inputs) {
    const Shape& shape = shape_of(b, id);
    const Shape from = dense_strides(shape);
    kernels::PickKernel kernel{};
    kernel.bytes = static_cast<int>(bytes_of(type_of(b, id)));
    kernel.extents = extents_of(shape);
    std::copy(from.begin(), from.end(), kernel.in_step);
    std::copy(to.begin(), to.end(), kernel.out_step);
    add_pick(b, kernel, b.slot(id), out);
    out.offset += shape[axis] * to[axis] * kernel.bytes;
  }
}

void add(StepBuilder& b, const Node& node, const Softmax& softmax) {
  kernels::ExactSoftmaxKernel kernel{};
  kernel.logarithm = softmax.log ? 1 : 0;
  add_unary(b, node, kernel, set_columns(kernel, AroundAxis(shape_of(b, node.output), softmax.axis)));
}

void add(StepBuilder& b, const Node& node, const Reduction& reduction) {
  const Shape& in = shape_of(b, node.inputs[0]);
  const Shape strides = dense_strides(in);
  kernels::ExactReduceKernel kernel{};
  kernel.kind = static_cast<kernels::Reducing>(reduction.kind);
  kernel.last_index = reduction.last_index ? 1 : 0;
  kernel.kept = extents_of(shape_of(b, node.output));
  std::copy(strides.begin(), strides.end(), kernel.kept_step);
  kernel.terms = 1;
  for (const int axis : reduction.axes) {
    const auto k = static_cast<std::size_t>(axis);
    kernel.reduced.at[kernel.reduced.axes] = in[k];
    kernel.reduced_step[kernel.reduced.axes++] = strides[k];
    kernel.terms *= in[k];
  }
  kernel.count = element_count(shape_of(b, node.output));
  add_unary(b, node, kernel, kernel.count);
}

void add(StepBuilder& b, const Node& node, const Normalisation& norm) {
  const Shape& shape = shape_of(b, node.output);
  kernels::ExactNormaliseKernel kernel{};
  kernel.channels = shape[1];
  kernel.pixels = element_count(shape) / (shape[0] * shape[1]);
  kernel.groups = shape[0] * norm.groups;
  kernel.size = shape[1] / norm.groups * kernel.pixels;
  kernel.epsilon = norm.epsilon;
  kernel.then = norm.then.function;
  kernel.then_alpha = norm.then.alpha;
  kernel.then_beta = norm.then.beta;
  kernel.in = source_of(b, node.inputs[0]);
  kernel.scale = source_of(b, node.inputs[1]);
  kernel.shift = source_of(b, node.inputs[2]);
  kernel.out = target_of(b, node.output);
  add_step(b, kernel, count_elements(kernel.groups),
           [in = b.slot(node.inputs[0]), scale = b.slot(node.inputs[1]), shift = b.slot(node.inputs[2]),
            out = b.slot(node.output)](kernels::ExactNormaliseKernel& k, const Addresses& a) {
             k.in.data = a.at<std::byte>(in);
             k.scale.data = a.at<std::byte>(scale);
             k.shift.data = a.at<std::byte>(shift);
             k.out.data = a.at<std::byte>(out);
           });
}

void add(StepBuilder& b, const Node& node, const Convolution& conv) {
  const Shape &x = shape_of(b, node.inputs[0]), &out = shape_of(b, node.output);
  kernels::ExactConvolutionKernel kernel{};
  kernel.window = window_of(conv.window, x, out);
  kernel.count = element_count(out);
  kernel.ins = x[1];
  kernel.outs = out[1];
  kernel.groups = conv.groups;
  kernel.then = conv.then.function;
  kernel.then_alpha = conv.then.alpha;
  kernel.then_beta = conv.then.beta;
  kernel.transposed = conv.transposed ? 1 : 0;
  kernel.x = source_of(b, node.inputs[0]);
  kernel.weights = source_of(b, node.inputs[1]);
  if (conv.bias) kernel.bias = source_of(b, node.inputs[2]);
  if (conv.residual) kernel.residual = source_of(b, node.inputs.back());
  kernel.out = target_of(b, node.output);
  std::vector<Slot> in;
  for (const ValueId id : node.inputs) in.push_back(b.slot(id));
  add_step(b, kernel, count_elements(kernel.count),
           [in, bias = conv.bias, residual = conv.residual, out_slot = b.slot(node.output)](
               kernels::ExactConvolutionKernel& k, const Addresses& a) {
             k.x.data = a.at<std::byte>(in[0]);
             k.weights.data = a.at<std::byte>(in[1]);
             k.bias.data = bias ? a.at<std::byte>(in[2]) : nullptr;
             k.residual.data = residual ? a.at<std::byte>(in.back()) : nullptr;
             k.out.data = a.at<std::byte>(out_slot);
           });
}

void add(StepBuilder& b, const Node& node, const Pool& pool) {
  kernels::ExactPoolKernel kernel{};
  kernel.window = window_of(pool.window, shape_of(b, node.inputs[0]), shape_of(b, node.output));
  kernel.count = element_count(shape_of(b, node.output));
  kernel.average = pool.kind == Pool::Kind::average ? 1 : 0;
  kernel.count_pads = pool.count_pads ? 1 : 0;
  add_unary(b, node, kernel, kernel.count);
}

void add(StepBuilder& b, const Node& node, const Resample& resample) {
  const Shape &in = shape_of(b, node.inputs[0]), &out = shape_of(b, node.output);
  const Shape strides = dense_strides(in);
  kernels::ExactResampleKernel kernel{};
  kernel.extents = extents_of(out);
  kernel.count = element_count(out);
  kernel.in = source_of(b, node.inputs[0]);
  kernel.out = target_of(b, node.output);
  std::vector<std::pair<Slot, Slot>> tables(out.size());
  for (std::size_t k = 0; k < out.size(); ++k) {
    const AxisTaps& axis = resample.axes[k];
    kernel.in_step[k] = strides[k];
    kernel.taps[k] = axis.taps;
    if (axis.taps > 0) tables[k] = {b.constants.add(axis.indices), b.constants.add(axis.weights)};
  }
  add_step(b, kernel, count_elements(kernel.count),
           [tables, in_slot = b.slot(node.inputs[0]), out_slot = b.slot(node.output)](kernels::ExactResampleKernel& k,
                                                                                      const Addresses& a) {
             for (std::size_t i = 0; i < tables.size(); ++i) {
               if (k.taps[i] == 0) continue;
               k.indices[i] = a.at<std::int32_t>(tables[i].first);
               k.weights[i] = a.at(tables[i].second);
             }
             k.in.data = a.at<std::byte>(in_slot);
             k.out.data = a.at<std::byte>(out_slot);
           });
}

/// Steps between the matrices of a broadcast operand along the output's batch axes.
void set_batch_steps(const Shape& operand, const Shape& out, std::int64_t (&steps)[kernels::most_axes]) {
  std::int64_t step = operand.size() < 2 ? 0 : operand[operand.size() - 2] * operand.back();
  for (std::size_t i = out.size() - 2; i-- > 0;) {
    if (i + operand.size() < out.size()) continue;
    const std::int64_t extent = operand[i + operand.size() - out.size()];
    steps[i] = extent > 1 ? step : 0;
    step *= extent;
  }
}

void add(StepBuilder& b, const Node& node, const MatrixProduct& product) {
  const Shape &a = shape_of(b, node.inputs[0]), &out = shape_of(b, node.output);
  kernels::ExactProductKernel kernel{};
  kernel.m = out[out.size() - 2];
  kernel.n = out.back();
  kernel.k = a[a.size() - (product.transpose_a ? 2 : 1)];
  kernel.count = element_count(out);
  kernel.transpose_a = product.transpose_a ? 1 : 0;
  kernel.transpose_b = product.transpose_b ? 1 : 0;
  kernel.batch = extents_of({out.begin(), out.end() - 2});
  set_batch_steps(a, out, kernel.step_a);
  set_batch_steps(shape_of(b, node.inputs[1]), out, kernel.step_b);
  kernel.a = source_of(b, node.inputs[0]);
  kernel.b = source_of(b, node.inputs[1]);
  if (product.bias) kernel.bias = source_of(b, node.inputs[2]);
  kernel.out = target_of(b, node.output);
  std::vector<Slot> in;
  for (const ValueId id : node.inputs) in.push_back(b.slot(id));
  add_step(b, kernel, count_elements(kernel.count),
           [in, bias = product.bias, out_slot = b.slot(node.output)](kernels::ExactProductKernel& k,
                                                                     const Addresses& addresses) {
             k.a.data = addresses.at<std::byte>(in[0]);
             k.b.data = addresses.at<std::byte>(in[1]);
             k.bias.data = bias ? addresses.at<std::byte>(in[2]) : nullptr;
             k.out.data = addresses.at<std::byte>(out_slot);
           });
}

void add(StepBuilder&, const Node&, const Alias&) {}  // the same memory

bool add_loop(StepBuilder& b, const Node& node, const MaxPositions& what) {
  if (shape_of(b, node.output).size() > most_spatial) return false;
  kernels::MaxPositionsKernel kernel{};
  kernel.window = window_of(what.window, shape_of(b, node.inputs[0]), shape_of(b, node.output));
  kernel.count = element_count(shape_of(b, node.output));
  kernel.column_major = what.column_major ? 1 : 0;
  add_unary(b, node, kernel, kernel.count);
  return true;
}

bool add_loop(StepBuilder& b, const Node& node, const ColumnsToImage& what) {
  const Shape& to = shape_of(b, node.output);
  if (to.size() > most_spatial) return false;
  kernels::ColumnsToImageKernel kernel{};
  kernel.window = window_of(what.window, to, to);
  kernel.count = element_count(to);
  const ExactWindow& w = kernel.window;
  for (std::size_t k = 0; k < 3; ++k)
    kernel.steps[k] =
        (w.to[k] + w.pads_begin[k] + w.pads_end[k] - ((w.kernel[k] - 1) * w.dilations[k] + 1)) / w.strides[k] + 1;
  add_unary(b, node, kernel, kernel.count);
  return true;
}

bool add_loop(StepBuilder& b, const Node& node, const CumulativeSum& what) {
  kernels::ExactCumulativeSumKernel kernel{};
  kernel.exclusive = what.exclusive ? 1 : 0;
  kernel.reverse = what.reverse ? 1 : 0;
  add_unary(b, node, kernel, set_columns(kernel, AroundAxis(shape_of(b, node.inputs[0]), what.axis)));
  return true;
}

template <class Operation>
bool add_loop(StepBuilder&, const Node&, const Operation&) {
  return false;
}

template <class Word>
void add_fill(StepBuilder& b, Word word, Slot to, std::int64_t count) {
  kernels::PickKernel kernel{};
  kernel.bytes = sizeof(Word);
  kernel.extents = extents_of({count});
  kernel.out_step[0] = 1;
  add_pick(b, kernel, b.constants.add(&word, sizeof word), to);
}

}  // namespace

void add_fill_step(StepBuilder& b, std::int64_t word, Slot to, std::int64_t count) { add_fill(b, word, to, count); }
void add_fill_step(StepBuilder& b, std::int32_t word, Slot to, std::int64_t count) { add_fill(b, word, to, count); }

void add_move_step(StepBuilder& b, Slot from, Slot to, std::int64_t count, std::int64_t bytes) {
  kernels::PickKernel kernel{};
  kernel.bytes = static_cast<int>(bytes);
  kernel.extents = extents_of({count});
  kernel.in_step[0] = kernel.out_step[0] = 1;
  add_pick(b, kernel, from, to);
}

bool add_exact_steps(StepBuilder& b, int node_index, const Node& node, IndexNotes& notes) {
  if (element_count(shape_of(b, node.output)) == 0) return true;
  const auto* loops = std::get_if<Loops>(&node.operation);
  if (loops != nullptr)
    return add_indexing_steps(b, node_index, node, *loops, notes) ||
           std::visit([&](const auto& what) { return add_loop(b, node, what); }, loops->what);
  if (shape_of(b, node.output).size() > static_cast<std::size_t>(kernels::most_axes)) return false;
  return std::visit(
      [&](const auto& operation) {
        if constexpr (requires { add(b, node, operation); }) {
          add(b, node, operation);
          return true;
        }
        return false;
      },
      node.operation);
}

}  // namespace isocenter::infer
