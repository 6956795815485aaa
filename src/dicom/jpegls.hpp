#pragma once
// JPEG-LS codestreams through CharLS. No CharLS type in here.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// Decodes one frame of the format's Rows, Columns and SamplesPerPixel; the codestream's own size is checked before
/// anything is decoded. The format then says how the samples lie: BitsAllocated 8 or 16, planes or interleaved.
/// Returns "" or what is wrong with the codestream.
std::string decode_jpegls(std::span<const std::uint8_t> codestream, PixelFormat& format, std::vector<std::uint8_t>& to);

}  // namespace isocenter::detail::dicom
