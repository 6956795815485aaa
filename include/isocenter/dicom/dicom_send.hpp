#pragma once
#include <isocenter/dicom/delivery_parameters.hpp>
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Sends DICOM files to a peer (C-STORE, PS3.4 annex B) by way of an outbox on disk: what was put there is sent after a
/// crash or when the peer is back, and once. See docs/dicom/network.md for what that rests on.
///
/// With `commit` the peer is then asked to take responsibility for them (storage commitment, as dicom_commit), and what
/// it does not commit itself to stays in the outbox and is sent again.
///
/// Metrics: delivered, found_there, committed, refused, left. Errors: bad_data for a path that holds no DICOM file;
/// io_error when instances are left, with the first reason.
struct DicomSend {
  static constexpr const char* name = "dicom_send";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Sends DICOM files to a peer (C-STORE), durably: after a crash too, and once.";
  static constexpr const char* help =
      "Files that the peer refuses for good lie in the outbox's folder failed, each with the reason beside it.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters, OutboxParameters {
    std::int64_t associations = 1;
    bool commit = false;
    std::int64_t listen_port = 0;
    std::int64_t wait_s = 300;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(), outbox_parameters<Params>(),
          std::tuple{param(&Params::associations, "associations", Unit::none, 1, 64, "How many at once."),
                     param(&Params::commit, "commit", "The peer has to commit itself to what it was sent, too."),
                     param(&Params::listen_port, "listen_port", Unit::none, 0, 65535,
                           "commit: where the peer may bring its report; 0: on the association that asks."),
                     param(&Params::wait_s, "wait_s", Unit::s, 1, 86400, "commit: how long to wait for the report.")},
          retry_parameters<Params>());
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
