#pragma once
// Values that are kept as 8-bit integers, on the CPU: made of real ones and back, added, multiplied and concatenated.
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a copy from or to 8-bit integers, and of a map or concatenation whose output is kept so; false for
/// every other node.
bool add_integer_steps(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
