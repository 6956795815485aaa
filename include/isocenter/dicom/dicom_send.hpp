#pragma once
#include <isocenter/dicom/delivery_parameters.hpp>
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Sends DICOM files to a peer (C-STORE, PS3.4 annex B) by way of an outbox on disk: what was put there is sent after a
/// crash or when the peer is back, and once. See docs/dicom/network.md for what that rests on.
///
/// Metrics: delivered, found_there, refused, left. Errors: bad_data for a path that holds no DICOM file; io_error when
/// instances are left, with the first reason.
struct DicomSend {
  static constexpr const char* name = "dicom_send";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Sends DICOM files to a peer (C-STORE), durably: after a crash too, and once.";
  static constexpr const char* help =
      "Files that the peer refuses for good lie in the outbox's folder failed, each with the reason beside it.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters, OutboxParameters {
    std::int64_t associations = 1;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(), outbox_parameters<Params>(),
          std::tuple{param(&Params::associations, "associations", Unit::none, 1, 64, "How many at once.")},
          retry_parameters<Params>());
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
