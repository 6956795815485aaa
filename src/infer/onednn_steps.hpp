#pragma once
// Convolutions and matrix products on oneDNN (2.6 or 3.x). The only unit that sees its headers is onednn_steps.cpp.
#include <string>

#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a convolution or matrix product in float32. False when oneDNN has no implementation for it; the
/// reference then runs it.
bool add_onednn_steps(StepBuilder& builder, int node_index);

/// "oneDNN 2.6.3 (OpenMP)".
std::string onednn_version();

}  // namespace isocenter::infer
