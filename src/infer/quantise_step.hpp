#pragma once
// From float32 or bfloat16 to 8-bit integers, on the CPU.
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the step of a copy whose output is kept as 8-bit integers; false for every other node.
bool add_quantise_step(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
