#pragma once
// What operators that call another DICOM application entity have in common.
#include <isocenter/describe.hpp>
#include <string>

namespace isocenter::inline v1 {

enum class DicomQueryModel { study_root, patient_root, worklist };
inline constexpr const char* dicom_query_model_choices[] = {"study_root", "patient_root", "worklist"};
enum class DicomQueryLevel { patient, study, series, image };
inline constexpr const char* dicom_query_level_choices[] = {"patient", "study", "series", "image"};
enum class DicomFetchMethod { get, move };
inline constexpr const char* dicom_fetch_method_choices[] = {"get", "move"};

/// PEM files; all empty for no TLS.
struct TlsParameters {
  std::string tls_certificate, tls_key, tls_authorities;
};

/// What describes them for a struct P that inherits them; so do those below.
template <class P>
constexpr auto tls_parameters() {
  return std::tuple{
      param<P, std::string>(&P::tls_certificate, "tls_certificate",
                            "PEM file: our certificate and its chain; empty: no TLS.", isocenter::path),
      param<P, std::string>(&P::tls_key, "tls_key", "PEM file: the certificate's private key, not encrypted.",
                            isocenter::path),
      param<P, std::string>(&P::tls_authorities, "tls_authorities",
                            "PEM file: who must have issued the peer's certificate.", isocenter::path),
  };
}

/// Who is called, and how.
struct PeerParameters : TlsParameters {
  std::string host;
  std::int64_t port = 104;
  std::string called_ae = "ANY-SCP";
  std::string calling_ae = "ISOCENTER";
  std::int64_t timeout_s = 30;
  std::int64_t max_pdu = 131072;
};

template <class P>
constexpr auto peer_parameters() {
  return std::tuple_cat(
      std::tuple{
          param<P, std::string>(&P::host, "host", "The peer's name or address.", isocenter::required),
          param<P, std::int64_t>(&P::port, "port", Unit::none, 1, 65535, "The peer's port."),
          param<P, std::string>(&P::called_ae, "called_ae", "The peer's AE title."),
          param<P, std::string>(&P::calling_ae, "calling_ae", "Our AE title."),
          param<P, std::int64_t>(&P::timeout_s, "timeout_s", Unit::s, 1, 3600,
                                 "How long to wait for a connection and for each answer."),
          param<P, std::int64_t>(&P::max_pdu, "max_pdu", Unit::none, 4096, 131072,
                                 "Bytes that we take at once (maximum PDU length)."),
      },
      tls_parameters<P>());
}

}  // namespace isocenter::inline v1
