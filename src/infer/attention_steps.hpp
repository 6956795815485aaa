#pragma once
// Attention by kernels of ours, where a library has no plan for it.
#include "infer/step.hpp"

namespace isocenter::infer {

/// Scores in float32 scratch, one matrix for each batch and head; then their softmax, and its product with the values.
void add_attention(StepBuilder& builder, int node_index, const Node& node, const Attention& attention);

}  // namespace isocenter::infer
