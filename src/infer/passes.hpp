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

}  // namespace isocenter::infer
