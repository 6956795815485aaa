#pragma once
// What went wrong with an HTTP request, in words, and what to do about it.
#include <isocenter/error.hpp>
#include <string>

namespace isocenter::detail::dicom {

/// "404, not found" (RFC 9110 section 15).
std::string web_status_text(int status);

/// What a request threw because of the answer's status, or of the network.
struct WebFailure : Failure {
  WebFailure(ErrorCode code, const std::string& what, const std::string& fix, int status_, bool temporary_,
             double after_s_ = 0)
      : Failure(code, what, fix), status(status_), temporary(temporary_), after_s(after_s_) {}
  int status;      ///< 0: there was no answer, or not a whole one
  bool temporary;  ///< another attempt may go well
  double after_s;  ///< how long the server asks to wait before it
};

/// `retry_after_s`: what the server asks for; 0 for nothing.
WebFailure web_status_failure(const std::string& where, int status, long retry_after_s);

/// `code` is libcurl's, `text` its words.
WebFailure web_network_failure(const std::string& where, int code, const std::string& text);

}  // namespace isocenter::detail::dicom
