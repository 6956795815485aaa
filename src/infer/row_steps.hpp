#pragma once
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the step of a layer norm or a softmax whose rows lie together (kernels/infer/rows.hpp). For the CPU alone;
/// false: the node is something else, or lies otherwise.
bool add_row_steps(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
