#pragma once
// Text that is to be UTF-8 whatever a file holds.
#include <string>
#include <string_view>

namespace isocenter::detail::dicom {

/// Valid UTF-8: file names and broken values may hold any byte, which then becomes '?'.
std::string valid_utf8(std::string_view text);

}  // namespace isocenter::detail::dicom
