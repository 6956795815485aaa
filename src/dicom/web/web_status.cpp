#include "web_status.hpp"

#include <curl/curl.h>

#include "media_type.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Status {
  int value;
  ErrorCode code;
  const char* words;
  const char* fix;
};
const Status statuses[] = {
    {202, ErrorCode::io_error, "accepted, not done", "look into the server's log"},
    {301, ErrorCode::bad_data, "moved permanently", "give the address that it points to as url"},
    {302, ErrorCode::bad_data, "found elsewhere", "give the address that it points to as url"},
    {303, ErrorCode::bad_data, "see other", "give the address that it points to as url"},
    {307, ErrorCode::bad_data, "temporary redirect", "give the address that it points to as url"},
    {308, ErrorCode::bad_data, "permanent redirect", "give the address that it points to as url"},
    {400, ErrorCode::invalid_argument, "bad request",
     "check the keys; the server's log says what it did not understand"},
    {401, ErrorCode::invalid_argument, "unauthorised", "give a token that it accepts in token_file or token_variable"},
    {403, ErrorCode::invalid_argument, "forbidden", "have the server allow this to our token or certificate"},
    {404, ErrorCode::not_found, "not found", "check the address of the service and the UIDs"},
    {405, ErrorCode::unsupported, "method not allowed", "check the address; this server may not offer the service"},
    {406, ErrorCode::unsupported, "not acceptable", "ask for another transfer syntax or media type"},
    {408, ErrorCode::io_error, "request timeout", "check the network, and try again"},
    {409, ErrorCode::bad_data, "conflict", "look into the server's log"},
    {410, ErrorCode::not_found, "gone", "it was deleted there"},
    {411, ErrorCode::unsupported, "length required", "look into the server's log"},
    {413, ErrorCode::unsupported, "content too large", "send fewer instances at once, or raise the server's limit"},
    {414, ErrorCode::unsupported, "address too long", "ask with fewer keys"},
    {415, ErrorCode::unsupported, "unsupported media type", "send another transfer syntax"},
    {429, ErrorCode::io_error, "too many requests", "try later, or with more attempts"},
    {500, ErrorCode::io_error, "internal server error", "look into the server's log"},
    {501, ErrorCode::unsupported, "not implemented", "this server does not offer the service"},
    {502, ErrorCode::io_error, "bad gateway", "look at what stands between the server and us"},
    {503, ErrorCode::io_error, "service unavailable", "try later, or with more attempts"},
    {504, ErrorCode::io_error, "gateway timeout", "look at what stands between the server and us"},
};

const Status* find_status(int value) {
  for (const Status& status : statuses)
    if (status.value == value) return &status;
  return nullptr;
}

}  // namespace

std::string web_status_text(int status) {
  const Status* known = find_status(status);
  return std::to_string(status) + (known == nullptr ? "" : std::string(", ") + known->words);
}

WebFailure web_status_failure(const std::string& where, int status, long retry_after_s) {
  const Status* known = find_status(status);
  const std::string wait = retry_after_s > 0 ? ", and asks to wait " + std::to_string(retry_after_s) + " s" : "";
  return {known == nullptr ? ErrorCode::io_error : known->code,
          where + ": the server answered " + web_status_text(status) + wait,
          known == nullptr ? "look into the server's log" : known->fix,
          status,
          status == 429 || (status >= 502 && status <= 504),
          static_cast<double>(retry_after_s)};
}

WebFailure web_network_failure(const std::string& where, int code, const std::string& text) {
  const std::string words = shown(text, 200);
  const auto failure = [&](ErrorCode error, const std::string& what, const char* fix, bool temporary) {
    return WebFailure(error, where + ": " + what, fix, 0, temporary);
  };
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return failure(ErrorCode::io_error, "the host has no address (" + words + ")", "check its name", true);
    case CURLE_COULDNT_CONNECT:
      return failure(ErrorCode::io_error, "nobody answers there (" + words + ")",
                     "check host and port, and that the server runs", true);
    case CURLE_OPERATION_TIMEDOUT:
      return failure(ErrorCode::timeout, "the server is too slow (" + words + ")",
                     "raise timeout_s, or look at the network", true);
    case CURLE_PEER_FAILED_VERIFICATION:
      return failure(ErrorCode::io_error, "the server's certificate is not accepted (" + words + ")",
                     "give who issued it in tls_authorities, and the name that it was issued for in url", false);
    case CURLE_SSL_CACERT_BADFILE:
      return failure(ErrorCode::bad_data, "tls_authorities cannot be used (" + words + ")",
                     "give a PEM file with the certificates of who may issue the server's", false);
    case CURLE_SSL_CERTPROBLEM:
      return failure(ErrorCode::bad_data, "tls_certificate or tls_key cannot be used (" + words + ")",
                     "give PEM files that belong together, the key not encrypted", false);
    case CURLE_SSL_CONNECT_ERROR:
      return failure(ErrorCode::io_error, "TLS failed (" + words + ")",
                     "check that the server speaks TLS 1.2 or later there, and whether it wants a certificate of ours",
                     false);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return failure(ErrorCode::bad_data, "what answers there speaks no HTTP (" + words + ")", "check the address",
                     false);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
      return failure(ErrorCode::io_error, "the connection ended before the answer did (" + words + ")",
                     "look into the server's log", true);
    default:
      // A server that wants a certificate says so after the handshake of TLS 1.3, when its answer is read.
      if (text.find("alert") != std::string::npos)
        return failure(ErrorCode::io_error, "the server ended TLS (" + words + ")",
                       "give a certificate that it accepts in tls_certificate and tls_key", false);
      return failure(ErrorCode::io_error, "the connection failed (" + words + ")", "check the network, and try again",
                     true);
  }
}

}  // namespace isocenter::detail::dicom
