#pragma once
// Coded concepts: PS3.3 section 8.
#include <string>

namespace isocenter::detail::dicom {

struct Code {
  std::string value;
  std::string scheme;
  std::string meaning;
};

}  // namespace isocenter::detail::dicom
