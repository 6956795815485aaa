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

/// The parameters of struct P that name the peer; P has members of these names.
template <class P>
constexpr auto peer_parameters() {
  return std::tuple{
      param(&P::host, "host", "The peer's name or address.", isocenter::required),
      param(&P::port, "port", Unit::none, 1, 65535, "The peer's port."),
      param(&P::called_ae, "called_ae", "The peer's AE title."),
      param(&P::calling_ae, "calling_ae", "Our AE title."),
      param(&P::timeout_s, "timeout_s", Unit::s, 1, 3600, "How long to wait for a connection and for each answer."),
      param(&P::max_pdu, "max_pdu", Unit::none, 4096, 131072, "Bytes that we take at once (maximum PDU length)."),
  };
}

/// The parameters of struct P that turn TLS on; P has members of these names.
template <class P>
constexpr auto tls_parameters() {
  return std::tuple{
      param(&P::tls_certificate, "tls_certificate", "PEM file: our certificate and its chain; empty: no TLS.",
            isocenter::path),
      param(&P::tls_key, "tls_key", "PEM file: the certificate's private key, not encrypted.", isocenter::path),
      param(&P::tls_authorities, "tls_authorities", "PEM file: who must have issued the peer's certificate.",
            isocenter::path),
  };
}

}  // namespace isocenter::inline v1
