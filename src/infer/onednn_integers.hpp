#pragma once
// oneDNN's integer primitives: convolutions, matrix products and pools of what is kept as int8 or uint8.
#include "infer/step.hpp"

namespace isocenter::infer {

/// Adds the steps of a convolution or matrix product whose grid is set, and of a pool from integers to integers; false
/// for every other node. Throws dnnl::error where oneDNN has none.
bool add_integer_primitive(StepBuilder& builder, int node_index);

}  // namespace isocenter::infer
