#pragma once
// The reference's operations that slide a window or multiply matrices.
#include "infer/reference.hpp"

namespace isocenter::infer {

void run(const Convolution& convolution, std::span<const ConstView> in, View out);
void run(const Pool& pool, std::span<const ConstView> in, View out);
void run(const Normalisation& normalisation, std::span<const ConstView> in, View out);
void run(const Resample& resample, std::span<const ConstView> in, View out);
void run(const MatrixProduct& product, std::span<const ConstView> in, View out);
void run(const Attention& attention, std::span<const ConstView> in, View out);

}  // namespace isocenter::infer
