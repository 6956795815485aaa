#pragma once
// Makes a graph smaller without changing what it computes, but for rounding.
#include "infer/graph.hpp"

namespace isocenter::infer {

/// All of the below, in the order that lets each find most.
void optimise(Graph& graph);

/// One transpose after another becomes one, and none where they undo each other.
void join_transposes(Graph& graph);
/// Zeros around a convolution's input become its padding.
void merge_pads(Graph& graph);
/// Scales and shifts by channel (batch normalisation) go into the weights and bias of the convolution before them.
void fold_affine_into_convolutions(Graph& graph);
/// conv + residual becomes one node.
void fuse_residuals(Graph& graph);
/// An elementwise function goes into the convolution, normalisation or map before it.
void fuse_activations(Graph& graph);
/// A concatenation that begins as an earlier one does takes that one's result: dense blocks grow instead of being
/// copied.
void nest_concatenations(Graph& graph);
/// Nodes whose result nobody reads go.
void remove_dead_nodes(Graph& graph);

// For engines that have them, before `optimise`:

/// Matrix product, scale, sums with biases, softmax over the last axis and matrix product become one Attention: as
/// torch and MONAI export them and as ONNX's Attention is lowered, sums over windows' masks in another shape among
/// them.
void fuse_attention(Graph& graph);
/// Means, differences, squares and roots over the last axis become a normalisation of one group, its rows the batch: as
/// LayerNormalization is lowered and as torch exports it before opset 17.
void fuse_layer_norms(Graph& graph);
/// x / 2 * (1 + erf(x / sqrt(2))), however the products are put together, becomes one map. D. Hendrycks, K. Gimpel,
/// "Gaussian error linear units", arXiv:1606.08415, eq. 1.
void fuse_gelus(Graph& graph);

// Behind `optimise`, for engines that have it:

/// A constant row that is added to a matrix product becomes its bias, then another value its residual, and an
/// elementwise function behind goes into it.
void fuse_products(Graph& graph);
/// Attention reads and writes through the transposes, slices and reshapes around it (Attention::views).
void read_attention_in_place(Graph& graph);

}  // namespace isocenter::infer
