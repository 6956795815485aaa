#include "infer/loop_steps.hpp"

#include <algorithm>

#include "infer/along_axis.hpp"
#include "infer/grid_sample.hpp"
#include "infer/kernel_step.hpp"
#include "infer/reference_loops.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

/// The launch that counts every column of an array around an axis.
template <class K>
std::array<std::int64_t, 3> count_columns(K& kernel, const AroundAxis& around) {
  kernel.columns = around.outer * around.inner;
  kernel.inner = around.inner;
  kernel.extent = static_cast<int>(around.extent);
  constexpr std::int64_t row = kernels::columns_in_row;
  return {std::min(kernel.columns, row), (kernel.columns + row - 1) / row, 1};
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

template <class Operation>
void add_kernel(StepBuilder&, const Node&, const Operation&) {}  // has_kernel names those that have none

}  // namespace

void add_loop_kernel(StepBuilder& b, const Node& node, const Loops& loops) {
  std::visit([&](const auto& what) { add_kernel(b, node, what); }, loops.what);
}

}  // namespace isocenter::infer
