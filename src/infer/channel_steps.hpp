#pragma once
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of the kernels that work on channels-last data (pooling, resampling, normalisation, convolution), and
/// of matrix products. Nothing for other operations.
void add_channel_steps(StepBuilder& builder, int node_index, const Node& node);

}  // namespace isocenter::infer
