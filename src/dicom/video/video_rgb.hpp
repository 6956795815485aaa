#pragma once
// Pictures of a video as RGB of 8 bits.
#include <span>
#include <string>

#include "picture_decoder.hpp"

namespace isocenter::detail::dicom {

/// Fills `to`, height x width x 3. Matrix and range are the stream's; where it names no matrix, BT.601, as PS3.3
/// C.7.6.3.1.2 has it for YBR_PARTIAL_420. Chroma lies between two rows and on even columns (ISO/IEC 14496-10 figure
/// E-1, type 0) and is interpolated linearly. Integer arithmetic: the same everywhere. Throws StreamError for a matrix
/// that it does not know.
void to_rgb(const VideoPicture& picture, std::span<std::uint8_t> to);

}  // namespace isocenter::detail::dicom
