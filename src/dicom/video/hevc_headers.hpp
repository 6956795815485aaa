#pragma once
// The sequence parameter set of an HEVC stream (ISO/IEC 23008-2, 7.3.2.2), as far as its size and format.
#include <compare>
#include <cstdint>
#include <optional>
#include <span>

#include "stream_format.hpp"

namespace isocenter::detail::dicom {

/// Checks one unit: when it is a sequence parameter set, its pictures have to be `width` x `height`, 4:2:0, 8 or 10
/// bits and progressive. Throws StreamError.
void check_hevc_unit(std::span<const std::uint8_t> nal, int width, int height);

/// Tells parameter sets apart: type and identifier of a video, sequence or picture parameter set (7.3.2.1 to 7.3.2.3),
/// in the order in which they refer to each other. Nothing for other units.
struct HevcSetName {
  unsigned type = 0, id = 0;
  auto operator<=>(const HevcSetName&) const = default;
};
std::optional<HevcSetName> hevc_set_name(std::span<const std::uint8_t> nal);

}  // namespace isocenter::detail::dicom
