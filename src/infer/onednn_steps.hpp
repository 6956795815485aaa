#pragma once
// Convolutions and matrix products on oneDNN (2.6 or 3.x). The only unit that sees its headers is onednn_steps.cpp.
#include <string>

#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a convolution or matrix product, in bfloat16 where its data are kept so. False when oneDNN has no
/// implementation for it; a kernel of ours or the reference then runs it.
bool add_onednn_steps(StepBuilder& builder, int node_index);

/// oneDNN has an integer primitive, other than plain loops, for a convolution or matrix product that reads integers
/// (integers.hpp), or for a pool of them. `out`: the grid that it writes on, or none: real values.
bool onednn_plans_integers(const Graph& graph, const Node& node, const Quantised& out);

/// The processor multiplies bfloat16 (AVX512_BF16, AMX): without that it would be slower than float32.
bool onednn_has_bfloat16();

/// The processor adds up products of 8-bit integers without saturating in between (AVX512_VNNI).
bool onednn_has_int8();

/// "oneDNN 2.6.3 (OpenMP)".
std::string onednn_version();

}  // namespace isocenter::infer
