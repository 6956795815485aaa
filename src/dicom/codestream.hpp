#pragma once
// One compressed frame to its stored samples, whatever the transfer syntax.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// `format` is the header's on the way in, and says how the decoded samples lie on the way out: BitsAllocated,
/// PlanarConfiguration and PhotometricInterpretation may differ. BitsAllocated 1 stays packed where the syntax packs
/// it. `most_bytes` bounds the working memory of JPEG 2000. Returns "" or what is wrong with the codestream.
std::string decompress(const std::string& transfer_syntax, std::span<const std::uint8_t> codestream,
                       std::uint64_t most_bytes, PixelFormat& format, std::vector<std::uint8_t>& to);

}  // namespace isocenter::detail::dicom
