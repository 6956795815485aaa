#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A DICOM application entity that answers C-ECHO and takes what is sent to it (C-STORE, PS3.4 annex B) into a folder,
/// inbox/<study>/<series>/<instance>.dcm, flushed to the disk before it is acknowledged; each series that is whole goes
/// on as a volume. A series is whole when every association that brought some of it has ended, or nothing came for
/// `idle_s`.
///
/// | port   | payload | shape        | unit                    |
/// |--------|---------|--------------|-------------------------|
/// | output | Volume  | nz × ny × nx | as dicom_series_source  |
///
/// Preparing waits for the first series, which sets the shape; one of another shape later
/// is a failed item and stays in the inbox. Warnings tell of instances that were refused and associations that failed.
///
/// Errors: io_error when the port cannot be had; timeout when no series came in `wait_s` while preparing; bad_data for
/// a series that makes no volume.
struct DicomReceiveSource {
  static constexpr const char* name = "dicom_receive_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Takes what scanners and PACS send (C-STORE provider), durably; each whole series as a volume.";
  static constexpr const char* help = "Runs until it is cancelled, or `series` came. Everything stays in the inbox.";
  static constexpr bool host_only = true;
  struct Params : TlsParameters {
    std::string inbox;
    std::string ae_title = "ISOCENTER";
    std::int64_t port = 11112;
    std::string calling_aes;
    bool any_called_ae = false;
    std::int64_t associations = 16;
    std::int64_t timeout_s = 30;
    std::int64_t idle_s = 60;
    std::int64_t wait_s = 0;
    std::int64_t series = 0;
    std::int64_t max_pdu = 131072;
    std::int64_t max_instance_mib = 2048;
    std::int64_t journal_mib = 0;
    static constexpr auto describe() {
      return std::tuple_cat(
          tls_parameters<Params>(),
          std::tuple{
              param(&Params::inbox, "inbox", "Folder for what comes.", isocenter::required | isocenter::path),
              param(&Params::ae_title, "ae_title", "Our AE title."),
              param(&Params::port, "port", Unit::none, 1, 65535, "Where we listen."),
              param(&Params::calling_aes, "calling_aes",
                    "AE titles that may call, separated by commas; empty: anyone."),
              param(&Params::any_called_ae, "any_called_ae", "Answer to other titles than ours, too."),
              param(&Params::associations, "associations", Unit::none, 1, 256, "At once; further peers wait."),
              param(&Params::timeout_s, "timeout_s", Unit::s, 1, 3600, "Silence within an association that ends it."),
              param(&Params::idle_s, "idle_s", Unit::s, 1, 86400, "A series is whole when nothing came for so long."),
              param(&Params::wait_s, "wait_s", Unit::s, 0, 1e6,
                    "How long preparing waits for the first series; 0: for ever."),
              param(&Params::series, "series", Unit::none, 0, 1e9, "Ends after so many; 0: when cancelled."),
              param(&Params::max_pdu, "max_pdu", Unit::none, 4096, 131072,
                    "Bytes that we take at once (maximum PDU length)."),
              param(&Params::max_instance_mib, "max_instance_mib", Unit::none, 1, 65536,
                    "Larger instances are refused."),
              param(&Params::journal_mib, "journal_mib", Unit::none, 0, 65536,
                    "0: each instance is flushed by itself, quickest where flushes are quick. 64 or more: a journal of "
                    "that size, whose flushes instances share: quicker where a flush takes milliseconds.")});
    }
  };
  struct Ports {
    Out<Volume> output{"output", "A series, as dicom_series_source gives it."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

/// The same without a pipeline behind it: takes what is sent into the folder. No ports; one item for each whole series.
struct DicomReceive {
  static constexpr const char* name = "dicom_receive";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Takes what scanners and PACS send (C-STORE provider) into a folder, durably.";
  static constexpr const char* help = "Runs until it is cancelled, or `series` came.";
  static constexpr bool host_only = true;
  using Params = DicomReceiveSource::Params;
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
