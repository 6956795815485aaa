#pragma once
// Stored values to real ones: PS3.5 section 8.1.1 (which bits count) and PS3.3 C.11.1.1.2 (rescale).
#include <cstdint>
#include <span>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// Takes BitsStored bits below and including HighBit, extends the sign where PixelRepresentation asks for it, and gives
/// slope · stored + intercept, computed in double and rounded once to float. Whatever stands in the other bits
/// (overlays, garbage) is masked away. Floating point values are taken as they are. `raw` holds to.size() values of
/// BitsAllocated / 8 bytes.
void to_real_values(std::span<const std::uint8_t> raw, const PixelFormat& format, bool big_endian,
                    const Rescale& rescale, std::span<float> to);

}  // namespace isocenter::detail::dicom
