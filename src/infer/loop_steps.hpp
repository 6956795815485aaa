#pragma once
// Operations that index, sample or run through time, as kernels: those whose positions cannot lie outside, on float32.
#include "infer/step.hpp"
#include "infer/suppression.hpp"

namespace isocenter::infer {

/// Adds the kernels of a node that has some (has_kernel).
void add_loop_kernel(StepBuilder& builder, int node_index, const Node& node, const Loops& loops);

/// A non-maximum suppression, less its pointers.
isocenter::detail::SuppressionBoxes suppression_boxes(const Graph& graph, const Node& node, const Suppression& what);

/// Where its inputs lie, and the scratch in which it counts and lists what each pair keeps.
struct SuppressionSlots {
  Slot boxes, scores, order, counts, chosen;
  void bind(isocenter::detail::SuppressionBoxes& to, const Addresses& addresses) const;
};
SuppressionSlots suppression_slots(StepBuilder& builder, int node_index, const Node& node,
                                   const isocenter::detail::SuppressionBoxes& boxes);
/// Its last step: what the pairs keep, as rows.
void add_selected_rows(StepBuilder& builder, const Node& node, const isocenter::detail::SuppressionBoxes& boxes,
                       const SuppressionSlots& slots);

}  // namespace isocenter::infer
