#pragma once
// JPEG 2000 Part 1 (ITU-T T.800) as DICOM files hold it, decoded faster than by the general library.
#include <cstdint>
#include <span>

#include "jpeg2000.hpp"

namespace isocenter::detail::dicom {

/// As decode_jpeg2000. False when the codestream is of a kind that is not taken here (read_j2k_markers says which), or
/// damaged, or does not fit the frame: then `to` holds anything, and OpenJPEG has to decode it or say what is wrong.
bool decode_jpeg2000_part1(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                           std::span<std::uint8_t> to);

}  // namespace isocenter::detail::dicom
