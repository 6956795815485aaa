#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Fetches what a peer has into a folder: over the same association (C-GET), or by asking it to send it to an
/// application entity (C-MOVE; PS3.4 annex C), ours while the node runs when `listen_port` is given. Files lie in
/// inbox/<study>/<series>/<instance>.dcm and are durable.
///
/// Errors: as dicom_find; bad_data when the peer does not deliver everything, with how many it did not.
struct DicomFetch {
  static constexpr const char* name = "dicom_fetch";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Fetches studies, series or images from a PACS (C-GET or C-MOVE) into a folder.";
  static constexpr const char* help =
      "Keys as for dicom_find; unique keys down to the level: StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID. "
      "C-MOVE: the "
      "peer has to know the destination's AE title, address and port.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters {
    std::string inbox;
    DicomFetchMethod method = DicomFetchMethod::get;
    DicomQueryLevel level = DicomQueryLevel::study;
    std::string keys;
    std::string destination;
    std::int64_t listen_port = 0;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(),
          std::tuple{
              param(&Params::inbox, "inbox", "Folder for what comes.", isocenter::required | isocenter::path),
              choice(&Params::method, "method", dicom_fetch_method_choices,
                     "get: over this association; move: by another one."),
              choice(&Params::level, "level", dicom_query_level_choices, "What the keys name."),
              param(&Params::keys, "keys", "What to fetch."),
              param(&Params::destination, "destination", "C-MOVE: the AE title that it is sent to; empty: calling_ae."),
              param(&Params::listen_port, "listen_port", Unit::none, 0, 65535,
                    "C-MOVE: where we listen as destination; 0: somebody else is it.")});
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
