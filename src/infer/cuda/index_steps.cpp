// Gathering, scattering, sorting and suppressing on a device.
#include <algorithm>
#include <bit>

#include "infer/cuda/exact_steps.hpp"
#include "infer/element_form.hpp"
#include "infer/kernel_step.hpp"
#include "infer/live_indices.hpp"
#include "infer/loop_steps.hpp"
#include "infer/reference_loops.hpp"
#include "infer/sorted_positions.hpp"
#include "infer/suppression.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr std::int64_t word_bytes = sizeof(std::int32_t);

/// What the steps of a node with live indices are made of.
struct Indexing {
  StepBuilder& b;
  int node_index;
  const Node& node;
  IndexNotes& notes;

  const Value& value(ValueId id) const { return b.schedule.graph.value(id); }
  const Shape& shape(std::size_t input) const { return value(node.inputs[input]).shape; }
  const Shape& out() const { return value(node.output).shape; }
  std::int64_t bytes() const { return bytes_of(value(node.output).type); }
  Slot input(std::size_t i) const { return b.slot(node.inputs[i]); }
  Slot output() const { return b.slot(node.output); }
  Slot note(Shape extents) const { return notes.add("node '" + node.name + "' (" + node.op_type + ")", extents); }
  kernels::IndexSource indices() const { return {{nullptr, form_of(value(node.inputs[1]).type)}, nullptr}; }
};

template <class K>
void add_gather(const Indexing& n, const K& kernel, Slot note) {
  add_step(n.b, kernel, count_elements(kernel.count),
           [in = n.input(0), indices = n.input(1), out = n.output(), note](K& k, const Addresses& a) {
             k.in = a.at<std::byte>(in);
             k.out = a.at<std::byte>(out);
             k.indices.values.data = a.at<std::byte>(indices);
             k.indices.note = a.at<std::int64_t>(note);
           });
}

bool add(const Indexing& n, const GatherIndexed& what) {
  const AroundAxis around(n.shape(0), what.axis);
  kernels::GatherIndexedKernel kernel{};
  kernel.indices = n.indices();
  kernel.extent = around.extent;
  kernel.inner = around.inner;
  kernel.index_count = element_count(n.shape(1));
  kernel.count = element_count(n.out());
  kernel.axis = what.axis;
  kernel.elements = what.elements ? 1 : 0;
  kernel.bytes = static_cast<int>(n.bytes());
  kernel.extents.axes = static_cast<int>(n.out().size());
  std::copy(n.out().begin(), n.out().end(), kernel.extents.at);
  const Shape strides = dense_strides(n.shape(0));
  std::copy(strides.begin(), strides.end(), kernel.step);
  add_gather(n, kernel, n.note({around.extent}));
  return true;
}

bool add(const Indexing& n, const GatherPositions& what) {
  const Shape &data = n.shape(0), &indices = n.shape(1);
  const auto batch = static_cast<std::size_t>(what.batch_axes), depth = static_cast<std::size_t>(indices.back());
  kernels::GatherPositionsKernel kernel{};
  kernel.indices = n.indices();
  kernel.depth = static_cast<int>(depth);
  kernel.bytes = static_cast<int>(n.bytes());
  kernel.count = element_count(n.out());
  kernel.rows = element_count({indices.begin() + what.batch_axes, indices.end() - 1});
  kernel.per_batch = element_count({data.begin() + what.batch_axes, data.end()});
  kernel.inner = element_count({data.begin() + static_cast<std::ptrdiff_t>(batch + depth), data.end()});
  const Shape named(data.begin() + what.batch_axes, data.begin() + static_cast<std::ptrdiff_t>(batch + depth));
  std::copy(named.begin(), named.end(), kernel.extent);
  add_gather(n, kernel, n.note(named));
  return true;
}

/// The data as they come, then what goes where, then the updates. `kernel` knows how rows name their targets.
bool add_scatter(const Indexing& n, kernels::ScatterTargetsKernel kernel, Combine combine, std::int64_t inner,
                 const Shape& named) {
  const std::int64_t count = element_count(n.out()), targets = inner == 0 ? 0 : count / inner;
  if (kernel.rows > INT32_MAX - 1) return false;
  add_move_step(n.b, n.input(0), n.output(), count, n.bytes());
  const Slot note = n.note(named);
  if (kernel.rows == 0 || targets == 0) return true;
  const int scratch = add_scratch(n.b.schedule, n.node_index, kernel.rows * 2 * word_bytes + targets * 2 * word_bytes);
  const Slot target{scratch, 0}, first{scratch, kernel.rows * 2 * word_bytes},
      rows_at{scratch, first.offset + targets * word_bytes};
  add_fill_step(n.b, std::int32_t{INT32_MAX}, first, targets);
  add_fill_step(n.b, std::int32_t{0}, rows_at, targets);
  kernel.indices = n.indices();
  std::copy(n.out().begin(), n.out().end(), kernel.extent);
  add_step(n.b, kernel, count_elements(kernel.rows),
           [=, indices = n.input(1)](kernels::ScatterTargetsKernel& k, const Addresses& a) {
             k.indices.values.data = a.at<std::byte>(indices);
             k.indices.note = a.at<std::int64_t>(note);
             k.target = a.at<std::int64_t>(target);
             k.first = a.at<std::int32_t>(first);
             k.rows_at = a.at<std::int32_t>(rows_at);
           });
  kernels::ScatterKernel scatter{};
  scatter.updates.form = scatter.out.form = form_of(n.value(n.node.output).type);
  scatter.inner = inner;
  scatter.count = kernel.rows * inner;
  scatter.combining = static_cast<kernels::Combining>(combine);
  add_step(n.b, scatter, count_elements(scatter.count),
           [=, updates = n.input(2), out = n.output()](kernels::ScatterKernel& k, const Addresses& a) {
             k.updates.data = a.at<std::byte>(updates);
             k.out.data = a.at<std::byte>(out);
             k.target = a.at<std::int64_t>(target);
             k.first = a.at<std::int32_t>(first);
             k.rows_at = a.at<std::int32_t>(rows_at);
           });
  return true;
}

bool add(const Indexing& n, const ScatterElements& what) {
  const Shape &indices = n.shape(1), strides = dense_strides(n.out());
  kernels::ScatterTargetsKernel kernel{};
  kernel.rows = element_count(indices);
  kernel.axis = what.axis;
  kernel.elements = 1;
  kernel.extents.axes = static_cast<int>(indices.size());
  std::copy(indices.begin(), indices.end(), kernel.extents.at);
  std::copy(strides.begin(), strides.end(), kernel.step);
  return add_scatter(n, kernel, what.combine, 1, {n.out()[static_cast<std::size_t>(what.axis)]});
}

bool add(const Indexing& n, const ScatterPositions& what) {
  const Shape& indices = n.shape(1);
  kernels::ScatterTargetsKernel kernel{};
  kernel.depth = static_cast<int>(indices.back());
  kernel.rows = element_count({indices.begin(), indices.end() - 1});
  return add_scatter(n, kernel, what.combine, element_count({n.out().begin() + indices.back(), n.out().end()}),
                     {n.out().begin(), n.out().begin() + indices.back()});
}

bool add(const Indexing& n, const ReverseSequence& what) {
  const Shape strides = dense_strides(n.out());
  const auto batch = static_cast<std::size_t>(what.batch_axis), time = static_cast<std::size_t>(what.time_axis);
  kernels::ReverseSequenceKernel kernel{};
  kernel.lengths.form = form_of(n.value(n.node.inputs[1]).type);
  kernel.count = element_count(n.out());
  kernel.batch_step = strides[batch];
  kernel.batch = n.out()[batch];
  kernel.time_step = strides[time];
  kernel.time = n.out()[time];
  kernel.bytes = static_cast<int>(n.bytes());
  add_step(
      n.b, kernel, count_elements(kernel.count),
      [in = n.input(0), lengths = n.input(1), out = n.output()](kernels::ReverseSequenceKernel& k, const Addresses& a) {
        k.in = a.at<std::byte>(in);
        k.lengths.data = a.at<std::byte>(lengths);
        k.out = a.at<std::byte>(out);
      });
  return true;
}

/// The columns' positions sorted in scratch, then the best of them.
bool add_sort(StepBuilder& b, int node_index, const Node& node, const TopPositions& what) {
  const AroundAxis around(b.schedule.graph.value(node.inputs[0]).shape, what.axis);
  if (around.extent > (1 << 30)) return false;
  const Shape& out = b.schedule.graph.value(node.output).shape;
  kernels::SortPositionsKernel kernel{};
  kernel.values.form = form_of(b.schedule.graph.value(node.inputs[0]).type);
  kernel.inner = around.inner;
  kernel.extent = static_cast<std::int32_t>(around.extent);
  kernel.padded = static_cast<std::int32_t>(std::bit_ceil(static_cast<std::uint32_t>(kernel.extent)));
  kernel.count = around.outer * around.inner * kernel.padded;
  kernel.largest = what.largest ? 1 : 0;
  const Slot positions{add_scratch(b.schedule, node_index, kernel.count * word_bytes), 0};
  const auto step = [&](std::int32_t run, std::int32_t distance) {
    kernel.run = run;
    kernel.distance = distance;
    add_step(b, kernel, count_elements(kernel.count),
             [=, in = b.slot(node.inputs[0])](kernels::SortPositionsKernel& k, const Addresses& a) {
               k.values.data = a.at<std::byte>(in);
               k.positions = a.at<std::int32_t>(positions);
             });
  };
  step(0, 0);
  for (std::int64_t run = 2; run <= kernel.padded; run *= 2)
    for (std::int64_t distance = run / 2; distance > 0; distance /= 2)
      step(static_cast<std::int32_t>(run), static_cast<std::int32_t>(distance));
  kernels::SortedPositionsKernel last{};
  last.count = element_count(out);
  last.inner = around.inner;
  last.best = out[static_cast<std::size_t>(what.axis)];
  last.padded = kernel.padded;
  add_step(b, last, count_elements(last.count),
           [=, to = b.slot(node.output)](kernels::SortedPositionsKernel& k, const Addresses& a) {
             k.positions = a.at<std::int32_t>(positions);
             k.out = a.at<std::int64_t>(to);
           });
  return true;
}

bool add(const Indexing& n, const TopPositions& what) { return add_sort(n.b, n.node_index, n.node, what); }

template <class Operation>
bool add(const Indexing&, const Operation&) {
  return false;
}

/// Block after block of the order, as many threads as a block has boxes for each pair of image and class.
void add_suppression(StepBuilder& b, int node_index, const Node& node, const Suppression& what) {
  const kernels::SuppressionBoxes boxes = suppression_boxes(b.schedule.graph, node, what);
  const SuppressionSlots slots = suppression_slots(b, node_index, node, boxes);
  const Slot covered{add_scratch(b.schedule, node_index,
                                 boxes.pairs * kernels::suppression_block * kernels::suppression_words * word_bytes),
                     0};
  add_fill_step(b, std::int32_t{0}, slots.counts, boxes.pairs);
  for (int first = 0; first < boxes.count; first += kernels::suppression_block) {
    kernels::SuppressionBlockKernel look{};
    look.boxes = boxes;
    look.first = first;
    add_step(b, look, {kernels::suppression_block, boxes.pairs, 1},
             [=](kernels::SuppressionBlockKernel& k, const Addresses& a) {
               slots.bind(k.boxes, a);
               k.chosen = a.at<std::int32_t>(slots.chosen);
               k.counts = a.at<std::int32_t>(slots.counts);
               k.covered_by = a.at<std::uint32_t>(covered);
             });
    kernels::SuppressionKeepKernel keep{};
    keep.pairs = boxes.pairs;
    keep.count = boxes.count;
    keep.most = boxes.most;
    keep.first = first;
    add_step(b, keep, count_elements(boxes.pairs), [=](kernels::SuppressionKeepKernel& k, const Addresses& a) {
      k.order = a.at<std::int64_t>(slots.order);
      k.covered_by = a.at<std::uint32_t>(covered);
      k.chosen = a.at<std::int32_t>(slots.chosen);
      k.counts = a.at<std::int32_t>(slots.counts);
    });
  }
  add_selected_rows(b, node, boxes, slots);
}

}  // namespace

bool has_live_indices(const Node& node) {
  const auto* loops = std::get_if<Loops>(&node.operation);
  if (loops == nullptr) return false;
  return std::holds_alternative<GatherIndexed>(loops->what) || std::holds_alternative<GatherPositions>(loops->what) ||
         std::holds_alternative<ScatterElements>(loops->what) || std::holds_alternative<ScatterPositions>(loops->what);
}

bool add_indexing_steps(StepBuilder& b, int node_index, const Node& node, const Loops& loops, IndexNotes& notes) {
  const Indexing indexing{b, node_index, node, notes};
  return std::visit([&](const auto& what) { return add(indexing, what); }, loops.what);
}

bool add_parallel_steps(StepBuilder& b, int node_index, const Node& node) {
  constexpr std::int64_t many_columns = 4096, short_column = 32;
  const auto* loops = std::get_if<Loops>(&node.operation);
  if (loops == nullptr || !has_kernel(b.schedule.graph, node)) return false;
  if (const auto* suppression = std::get_if<Suppression>(&loops->what)) {
    add_suppression(b, node_index, node, *suppression);
    return true;
  }
  const auto* top = std::get_if<TopPositions>(&loops->what);
  if (top == nullptr) return false;
  const AroundAxis around(b.schedule.graph.value(node.inputs[0]).shape, top->axis);
  if (around.outer * around.inner >= many_columns || around.extent <= short_column) return false;
  return add_sort(b, node_index, node, *top);
}

}  // namespace isocenter::infer
