#pragma once
#include <string>

namespace isocenter::detail::dicom {

/// A new unique identifier: 2.25. and a random UUID (version 4) as a decimal number. PS3.5 annex B.2.
std::string new_uid();

/// What names this implementation in file meta information (PS3.10 section 7.1): fixed, from a UUID of its own.
inline constexpr const char* implementation_class_uid = "2.25.339487240458687712316095047043875975447";

}  // namespace isocenter::detail::dicom
