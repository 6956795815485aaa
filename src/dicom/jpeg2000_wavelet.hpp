#pragma once
// The inverse wavelet transforms of JPEG 2000: ITU-T T.800 annex F.
#include <cstdint>

#include "jpeg2000_tile.hpp"

namespace isocenter::detail::dicom {

/// Undoes all decompositions of a tile-component in place. Bands lie in quarters: LL above left, HL to its right, LH
/// below, HH below right, each resolution's in the place of the next one's LL. Rows are `stride` samples apart.
void inverse_wavelet_53(const J2kTileComponent& component, std::int32_t* samples, std::int64_t stride);
void inverse_wavelet_97(const J2kTileComponent& component, float* samples, std::int64_t stride);

}  // namespace isocenter::detail::dicom
