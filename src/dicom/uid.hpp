#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace isocenter::detail::dicom {

/// A new unique identifier: 2.25. and a random UUID (version 4) as a decimal number. PS3.5 annex B.2.
std::string new_uid();

/// The unique identifier of what a SHA-256 was made of: 2.25. and a UUID of version 8 (RFC 9562 section 5.8).
std::string uid_of(const std::array<std::uint8_t, 32>& digest);

/// What names this implementation in file meta information (PS3.10 section 7.1): fixed, from a UUID of its own.
inline constexpr const char* implementation_class_uid = "2.25.339487240458687712316095047043875975447";

}  // namespace isocenter::detail::dicom
