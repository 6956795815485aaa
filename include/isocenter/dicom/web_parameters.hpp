#pragma once
// What operators that call a DICOMweb service have in common.
#include <isocenter/dicom/peer_parameters.hpp>
#include <string>

namespace isocenter::inline v1 {

enum class DicomwebContent { instances, metadata, frames, rendered };
inline constexpr const char* dicomweb_content_choices[] = {"instances", "metadata", "frames", "rendered"};

/// The service; PEM files as the server wants them.
struct WebParameters : TlsParameters {
  std::string url, token_file, token_variable;
  std::int64_t timeout_s = 60;
};

/// What describes them for a struct P that inherits them.
template <class P>
constexpr auto web_parameters() {
  return std::tuple{
      param<P, std::string>(&P::url, "url",
                            "The service's address, which /studies follows: https://pacs.example:8443/dicom-web",
                            isocenter::required),
      param<P, std::string>(&P::token_file, "token_file", "File with a bearer token, read anew for each request.",
                            isocenter::path),
      param<P, std::string>(&P::token_variable, "token_variable", "Environment variable with a bearer token."),
      param<P, std::string>(&P::tls_certificate, "tls_certificate",
                            "PEM file: our certificate and its chain, if the server wants one.", isocenter::path),
      param<P, std::string>(&P::tls_key, "tls_key", "PEM file: the certificate's private key, not encrypted.",
                            isocenter::path),
      param<P, std::string>(&P::tls_authorities, "tls_authorities",
                            "PEM file: who must have issued the server's certificate; empty: the system's authorities.",
                            isocenter::path),
      param<P, std::int64_t>(&P::timeout_s, "timeout_s", Unit::s, 1, 3600,
                             "A request ends when fewer than 256 bytes a second go over the line for so long."),
  };
}

}  // namespace isocenter::inline v1
