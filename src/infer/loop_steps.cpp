#include "infer/loop_steps.hpp"

#include <algorithm>

#include "infer/along_axis.hpp"
#include "infer/deformed_convolution.hpp"
#include "infer/grid_sample.hpp"
#include "infer/kernel_step.hpp"
#include "infer/recurrence.hpp"
#include "infer/reference_loops.hpp"
#include "infer/region_align.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

/// The launch of a kernel for every column of an array around an axis.
template <class K>
std::array<std::int64_t, 3> count_columns(K& kernel, const AroundAxis& around) {
  kernel.columns = around.outer * around.inner;
  kernel.inner = around.inner;
  kernel.extent = static_cast<int>(around.extent);
  return count_elements(kernel.columns);
}

void add_kernel(StepBuilder& b, const Node& node, const TopPositions& what) {
  kernels::TopPositionsKernel kernel{};
  const auto n = count_columns(kernel, AroundAxis(b.schedule.graph.value(node.inputs[0]).shape, what.axis));
  kernel.count = static_cast<int>(b.schedule.graph.value(node.output).shape[static_cast<std::size_t>(what.axis)]);
  kernel.largest = what.largest ? 1 : 0;
  add_step(
      b, kernel, n,
      [in = b.slot(node.inputs[0]), out = b.slot(node.output)](kernels::TopPositionsKernel& k, const Addresses& a) {
        k.in = a.at(in);
        k.out = a.at<std::int64_t>(out);
      });
}

void add_kernel(StepBuilder& b, const Node& node, const GatherIndexed& what) {
  kernels::TakePositionsKernel kernel{};
  const auto n = count_columns(kernel, AroundAxis(b.schedule.graph.value(node.inputs[0]).shape, what.axis));
  kernel.count = static_cast<int>(b.schedule.graph.value(node.output).shape[static_cast<std::size_t>(what.axis)]);
  add_step(b, kernel, n,
           [in = b.slot(node.inputs[0]), positions = b.slot(node.inputs[1]), out = b.slot(node.output)](
               kernels::TakePositionsKernel& k, const Addresses& a) {
             k.in = a.at(in);
             k.positions = a.at<std::int64_t>(positions);
             k.out = a.at(out);
           });
}

void add_kernel(StepBuilder& b, const Node& node, const CumulativeSum& what) {
  kernels::CumulativeSumKernel kernel{};
  const auto n = count_columns(kernel, AroundAxis(b.schedule.graph.value(node.inputs[0]).shape, what.axis));
  kernel.exclusive = what.exclusive ? 1 : 0;
  kernel.reverse = what.reverse ? 1 : 0;
  add_step(
      b, kernel, n,
      [in = b.slot(node.inputs[0]), out = b.slot(node.output)](kernels::CumulativeSumKernel& k, const Addresses& a) {
        k.in = a.at(in);
        k.out = a.at(out);
      });
}

void add_kernel(StepBuilder& b, const Node& node, const GridSample& what) {
  const Shape &from = b.schedule.graph.value(node.inputs[0]).shape, &to = b.schedule.graph.value(node.output).shape;
  kernels::GridSampleKernel kernel{};
  kernel.mode = static_cast<int>(what.mode);
  kernel.padding = static_cast<int>(what.padding);
  kernel.align_corners = what.align_corners ? 1 : 0;
  kernel.axes = static_cast<int>(from.size()) - 2;
  kernel.channels = static_cast<int>(from[1]);
  kernel.pixels = kernel.points = 1;
  for (std::size_t k = 2; k < from.size(); ++k) {
    kernel.extent[k - 2] = static_cast<int>(from[k]);
    kernel.pixels *= from[k];
    kernel.points *= to[k];
  }
  constexpr std::int64_t row = kernels::GridSampleKernel::points_in_row;
  add_step(b, kernel, {std::min(kernel.points, row), (kernel.points + row - 1) / row, from[0]},
           [in = b.slot(node.inputs[0]), grid = b.slot(node.inputs[1]), out = b.slot(node.output)](
               kernels::GridSampleKernel& k, const Addresses& a) {
             k.in = a.at(in);
             k.grid = a.at(grid);
             k.out = a.at(out);
           });
}

void add_kernel(StepBuilder& b, const Node& node, const RegionAlign& what) {
  const Shape &from = b.schedule.graph.value(node.inputs[0]).shape, &to = b.schedule.graph.value(node.output).shape;
  kernels::RegionAlignKernel kernel{};
  kernel.count = element_count(to);
  kernel.samples = what.samples;
  kernel.scale = what.scale;
  kernel.items = static_cast<int>(from[0]);
  kernel.channels = static_cast<int>(from[1]);
  kernel.height = static_cast<int>(from[2]);
  kernel.width = static_cast<int>(from[3]);
  kernel.rows = static_cast<int>(to[2]);
  kernel.columns = static_cast<int>(to[3]);
  kernel.half_pixel = what.half_pixel ? 1 : 0;
  kernel.maximum = what.maximum ? 1 : 0;
  add_step(b, kernel, count_elements(kernel.count),
           [in = b.slot(node.inputs[0]), boxes = b.slot(node.inputs[1]), images = b.slot(node.inputs[2]),
            out = b.slot(node.output)](kernels::RegionAlignKernel& k, const Addresses& a) {
             k.in = a.at(in);
             k.boxes = a.at(boxes);
             k.images = a.at<std::int64_t>(images);
             k.out = a.at(out);
           });
}

void add_kernel(StepBuilder& b, const Node& node, const DeformedConvolution& what) {
  const Shape &from = b.schedule.graph.value(node.inputs[0]).shape, &w = b.schedule.graph.value(node.inputs[1]).shape;
  const Shape& to = b.schedule.graph.value(node.output).shape;
  kernels::DeformedConvolutionKernel kernel{};
  kernel.count = element_count(to);
  kernel.channels = static_cast<int>(from[1]);
  kernel.ins = static_cast<int>(w[1]);
  kernel.outs = static_cast<int>(to[1]);
  kernel.groups = static_cast<int>(what.groups);
  kernel.offset_groups = static_cast<int>(what.offset_groups);
  for (std::size_t k = 0; k < 2; ++k) {
    kernel.extent[k] = static_cast<int>(from[2 + k]);
    kernel.to[k] = static_cast<int>(to[2 + k]);
    kernel.kernel[k] = static_cast<int>(w[2 + k]);
    kernel.strides[k] = static_cast<int>(what.window.strides[k]);
    kernel.pads[k] = static_cast<int>(what.window.pads_begin[k]);
    kernel.dilations[k] = static_cast<int>(what.window.dilations[k]);
  }
  std::vector<Slot> in;
  for (const ValueId id : node.inputs) in.push_back(b.slot(id));
  add_step(b, kernel, count_elements(kernel.count),
           [in, bias = what.bias, mask = what.mask, out = b.slot(node.output)](kernels::DeformedConvolutionKernel& k,
                                                                               const Addresses& a) {
             k.in = a.at(in[0]);
             k.weights = a.at(in[1]);
             k.offsets = a.at(in[2]);
             k.bias = bias ? a.at(in[3]) : nullptr;
             k.mask = mask ? a.at(in.back()) : nullptr;
             k.out = a.at(out);
           });
}

void add_kernel(StepBuilder& b, const Node& node, const Recurrence& what) {
  const Shape& x = b.schedule.graph.value(node.inputs[static_cast<std::size_t>(what.inputs[0])]).shape;
  kernels::RecurrenceKernel kernel{};
  for (std::size_t i = 0; i < what.activations.size(); ++i)
    kernel.activations[i] = {what.activations[i].function, what.activations[i].alpha, what.activations[i].beta};
  kernel.time = static_cast<int>(x[0]);
  kernel.batch = static_cast<int>(x[1]);
  kernel.width = static_cast<int>(x[2]);
  kernel.hidden = static_cast<int>(what.hidden);
  kernel.directions = what.directions;
  kernel.is_lstm = what.kind == Recurrence::Kind::lstm ? 1 : 0;
  kernel.backward = what.backward ? 1 : 0;
  kernel.linear_before_reset = what.linear_before_reset ? 1 : 0;
  kernel.coupled_gates = what.coupled_gates ? 1 : 0;
  kernel.clip = what.clip;
  std::array<std::optional<Slot>, 8> in;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (what.inputs[i] >= 0) in[i] = b.slot(node.inputs[static_cast<std::size_t>(what.inputs[i])]);
  add_step(b, kernel, count_elements(std::int64_t{kernel.directions} * kernel.batch),
           [in, out = b.slot(node.output)](kernels::RecurrenceKernel& k, const Addresses& a) {
             const auto at = [&](std::size_t i) -> const float* { return in[i] ? a.at(*in[i]) : nullptr; };
             k.x = at(0);
             k.weights = at(1);
             k.recurrent = at(2);
             k.bias = at(3);
             k.lengths = in[4] ? a.at<std::int32_t>(*in[4]) : nullptr;
             k.initial_h = at(5);
             k.initial_c = at(6);
             k.peepholes = at(7);
             k.out = a.at(out);
           });
}

/// What each image and class keeps, then all of it as rows.
void add_suppression(StepBuilder& b, int node_index, const Node& node, const Suppression& what) {
  kernels::SuppressionKernel kernel{};
  kernel.boxes = suppression_boxes(b.schedule.graph, node, what);
  const SuppressionSlots slots = suppression_slots(b, node_index, node, kernel.boxes);
  add_step(b, kernel, count_elements(kernel.boxes.pairs), [=](kernels::SuppressionKernel& k, const Addresses& a) {
    slots.bind(k.boxes, a);
    k.chosen = a.at<std::int32_t>(slots.chosen);
    k.counts = a.at<std::int32_t>(slots.counts);
  });
  add_selected_rows(b, node, kernel.boxes, slots);
}

template <class Operation>
void add_kernel(StepBuilder&, const Node&, const Operation&) {}  // has_kernel names those that have none

}  // namespace

void SuppressionSlots::bind(kernels::SuppressionBoxes& to, const Addresses& a) const {
  to.boxes = a.at(boxes);
  to.scores = a.at(scores);
  to.order = a.at<std::int64_t>(order);
}

kernels::SuppressionBoxes suppression_boxes(const Graph& graph, const Node& node, const Suppression& what) {
  const Shape& scores = graph.value(node.inputs[1]).shape;
  kernels::SuppressionBoxes boxes{};
  boxes.pairs = scores[0] * scores[1];
  boxes.classes = static_cast<int>(scores[1]);
  boxes.count = static_cast<int>(scores[2]);
  boxes.most = static_cast<int>(what.most);
  boxes.centred = what.centred ? 1 : 0;
  boxes.overlap = what.overlap;
  boxes.lowest = what.lowest;
  return boxes;
}

SuppressionSlots suppression_slots(StepBuilder& b, int node_index, const Node& node,
                                   const kernels::SuppressionBoxes& boxes) {
  constexpr std::int64_t word = sizeof(std::int32_t);
  const Slot counts{add_scratch(b.schedule, node_index, boxes.pairs * (1 + boxes.most) * word), 0};
  return {b.slot(node.inputs[0]),
          b.slot(node.inputs[1]),
          b.slot(node.inputs[2]),
          counts,
          {counts.buffer, boxes.pairs * word}};
}

void add_selected_rows(StepBuilder& b, const Node& node, const kernels::SuppressionBoxes& boxes,
                       const SuppressionSlots& slots) {
  kernels::SelectedRowsKernel kernel{};
  kernel.rows = boxes.pairs * boxes.most;
  kernel.classes = boxes.classes;
  kernel.most = boxes.most;
  add_step(b, kernel, count_elements(kernel.rows),
           [=, out = b.slot(node.output)](kernels::SelectedRowsKernel& k, const Addresses& a) {
             k.chosen = a.at<std::int32_t>(slots.chosen);
             k.counts = a.at<std::int32_t>(slots.counts);
             k.out = a.at<std::int64_t>(out);
           });
}

void add_loop_kernel(StepBuilder& b, int node_index, const Node& node, const Loops& loops) {
  if (const auto* suppression = std::get_if<Suppression>(&loops.what))
    return add_suppression(b, node_index, node, *suppression);
  std::visit([&](const auto& what) { add_kernel(b, node, what); }, loops.what);
}

}  // namespace isocenter::infer
