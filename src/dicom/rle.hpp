#pragma once
// RLE Lossless, PS3.5 annex G: byte planes packed one after the other.
#include <cstdint>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// Decodes one frame into samples beside each other, little endian: `to` has pixels × samples × bytes_per_sample bytes.
/// Returns "" or what is wrong with the frame.
std::string decode_rle(std::span<const std::uint8_t> from, int samples, int bytes_per_sample,
                       std::span<std::uint8_t> to);

}  // namespace isocenter::detail::dicom
