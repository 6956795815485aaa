#pragma once
// The sequence parameter set of an HEVC stream (ISO/IEC 23008-2, 7.3.2.2), as far as its size and format.
#include <cstdint>
#include <span>

#include "stream_format.hpp"

namespace isocenter::detail::dicom {

/// Checks one unit: when it is a sequence parameter set, its pictures have to be `width` x `height`, 4:2:0, 8 or 10
/// bits and progressive. Throws StreamError.
void check_hevc_unit(std::span<const std::uint8_t> nal, int width, int height);

}  // namespace isocenter::detail::dicom
