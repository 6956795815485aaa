#pragma once
// The steps that cuDNN runs: convolutions, and matrix products with constant weights.
#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a node of which cuDNN plans at least the product: as much of it as cuDNN does in one graph, and
/// what is left over as kernels of ours. False when it plans nothing of it. The device has to outlive the steps.
bool add_library_steps(StepBuilder& builder, int node_index, const Node& node, CudnnDevice& device, bool tf32);

}  // namespace isocenter::infer
