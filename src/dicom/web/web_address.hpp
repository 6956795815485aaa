#pragma once
// The address of a DICOMweb service, and what may follow it.
#include <string>

#include "lower_case.hpp"

namespace isocenter::detail::dicom {

/// Whether a text is meant as a web address: it begins with http:// or https://.
inline bool is_web_address(const std::string& text) {
  const std::string start = lower(text.substr(0, 8));
  return start.starts_with("http://") || start == "https://";
}

/// The address without a slash at its end. Throws Failure(invalid_argument) unless it is http or https with a host, and
/// without user, password, query and fragment.
std::string base_address(const std::string& url);

/// "https://pacs:443": scheme, host and port in lower case, the port always there. "" when it is no such address.
std::string origin_of(const std::string& url);

/// Whether nothing but this machine hears what is sent there.
bool is_loopback(const std::string& url);

/// `reference`, which may be relative, as seen from `from` (RFC 3986 section 5); "" when it makes no address.
std::string resolve_address(const std::string& from, const std::string& reference);

/// The address without its query and fragment, which may name patients, and in printable characters.
std::string shown_address(const std::string& url);

/// As it may stand in a query (RFC 3986 section 3.4): %XX for everything else, and for what separates parameters. No
/// more than that: Orthanc 1.10 takes %2A for no asterisk.
std::string query_encoded(const std::string& text);

}  // namespace isocenter::detail::dicom
