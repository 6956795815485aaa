#pragma once
// DCMTK calls itself for each level of nested sequences; a peer may send more levels than a stack has room for.
#include <cstdint>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// Deepest nesting of sequences that is taken from a peer: real objects stay below ten.
inline constexpr std::size_t deepest_nesting_sent = 64;

/// Walks tags and lengths without reading values. Throws Failure(bad_data) for deeper nesting; what the walk does not
/// understand is left to the parser to judge. Deflated data sets cannot be walked: they are not accepted from peers.
void require_shallow(std::span<const std::uint8_t> data_set, const std::string& transfer_syntax);

}  // namespace isocenter::detail::dicom
