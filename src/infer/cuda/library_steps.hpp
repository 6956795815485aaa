#pragma once
// The steps that cuDNN runs: convolutions, matrix products, normalisations, pools and attention.
#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a node that cuDNN plans. Of a convolution, or a product with constant weights, as much as cuDNN
/// does in one graph, at least the product, and what is left over as kernels of ours; others whole. False when it plans
/// nothing of it. The device has to outlive the steps.
bool add_library_steps(StepBuilder& builder, int node_index, const Node& node, CudnnDevice& device, bool tf32);

}  // namespace isocenter::infer
