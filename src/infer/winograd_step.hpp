#pragma once
// Convolutions that the CPU runs with fewer products than their definition has (infer/winograd.hpp).
#include "infer/step.hpp"

namespace isocenter::infer {

/// 3 x 3 taps, or 1 or 3 slices of them, at stride 1, with enough pixels for their weights, on a processor that has the
/// kernel. Its output may be some of the channels of a wider array.
bool is_winograd(const Graph& graph, const Node& node, bool narrow);

/// Adds the step of such a convolution; false for every other node.
bool add_winograd_step(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
