#pragma once
// The value of a Content-Type header (RFC 9110 section 8.3).
#include <map>
#include <string>

namespace isocenter::detail::dicom {

struct MediaType {
  std::string essence;                            ///< "multipart/related", lower case; "" when there was none
  std::map<std::string, std::string> parameters;  ///< names in lower case, values without their quotes

  /// "" when there is none.
  std::string parameter(const std::string& name) const;
};

/// Tolerates what does not follow the grammar by leaving it out: what matters is asked for by name, and missed then.
MediaType parse_media_type(const std::string& text);

/// Printable ASCII of a text from elsewhere, at most `most` characters, for messages.
std::string shown(const std::string& text, std::size_t most = 80);

}  // namespace isocenter::detail::dicom
