#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Asks another DICOM application entity whether it is there (C-ECHO, PS3.7 section 9.1.5). No ports: it does so while
/// the pipeline is prepared; the node's fact "dicom.echo" is the time that it took.
///
/// Errors: one sentence with the peer and the reason: not_found, io_error, invalid_argument for AE titles that are not
/// recognised, unsupported.
struct DicomEcho {
  static constexpr const char* name = "dicom_echo";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Asks another DICOM application entity whether it is there (C-ECHO).";
  static constexpr const char* help = "The time of the answer is in the fact dicom.echo.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters {
    static constexpr auto describe() { return peer_parameters<Params>(); }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
