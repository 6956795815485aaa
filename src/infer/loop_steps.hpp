#pragma once
// Operations that index, sample or run through time, as kernels: those whose positions cannot lie outside, on float32.
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the kernels of a node that has some (has_kernel).
void add_loop_kernel(StepBuilder& builder, int node_index, const Node& node, const Loops& loops);

}  // namespace isocenter::infer
