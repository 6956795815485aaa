#pragma once
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the step of attention that keeps no scores (kernels/infer/attention.hpp). For the CPU alone; false: the node is
/// something else, or this processor has no variant of it.
bool add_fused_attention(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
