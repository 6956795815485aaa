#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Asks a peer to take responsibility for instances that were sent to it (storage commitment, push model, PS3.4 annex
/// J), and waits for its report. No ports; one item.
///
/// Metrics: committed, failed. Errors: bad_data when the peer does not commit itself to all, with the first instance
/// and the peer's reason (each of them is a warning); io_error when no report came; as dicom_echo for the network.
struct DicomCommit {
  static constexpr const char* name = "dicom_commit";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Asks a PACS to take responsibility for instances that it was sent (storage commitment).";
  static constexpr const char* help =
      "A PACS that reports over an association of its own has to know our AE title, host and listen_port.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters {
    std::string path;
    std::int64_t listen_port = 0;
    std::int64_t wait_s = 300;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(),
          std::tuple{param(&Params::path, "path", "The instances: a DICOM file, or a folder with all below it.",
                           isocenter::required | isocenter::path),
                     param(&Params::listen_port, "listen_port", Unit::none, 0, 65535,
                           "Where the peer may bring its report; 0: on the association that asks."),
                     param(&Params::wait_s, "wait_s", Unit::s, 1, 86400, "How long to wait for the report.")});
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
