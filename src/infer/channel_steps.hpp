#pragma once
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of the kernels that work on channels-last data (pooling, resampling, normalisation, convolution), and
/// of matrix products. Nothing for other operations.
void add_channel_steps(StepBuilder& builder, int node_index, const Node& node);

/// Adds then(scale * in + shift) by channel on channels-last data; factors_z: from one item's factors to the next
/// one's.
void add_channel_affine(StepBuilder& builder, ValueId from, ValueId to, Slot scale, Slot shift, std::int64_t factors_z,
                        const Activation& then);

}  // namespace isocenter::infer
