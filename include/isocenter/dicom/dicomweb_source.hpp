#pragma once
#include <isocenter/dicom/web_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The series of a DICOMweb service that match some keys, one after the other as volumes: found by QIDO-RS, fetched by
/// WADO-RS into a folder, where they stay.
///
/// | port   | payload | shape        | unit                    |
/// |--------|---------|--------------|-------------------------|
/// | output | Volume  | nz × ny × nx | as dicom_series_source  |
///
/// Preparing finds the series and fetches the first, which sets the shape; each further one is fetched when its turn
/// comes, while the nodes behind work on those before. One of another shape is a failed item and stays in the folder.
///
/// Errors: as dicomweb_find; not_found when no series matches; bad_data for a series that did not come whole or makes
/// no volume.
struct DicomwebSource {
  static constexpr const char* name = "dicomweb_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Series of a DICOMweb service (QIDO-RS, WADO-RS) as volumes.";
  static constexpr const char* help =
      "Keys, separated by newlines, have to match at series level: StudyInstanceUID=1.2.3, SeriesInstanceUID=..., "
      "Modality=CT, PatientID=123.";
  static constexpr bool host_only = true;
  struct Params : WebParameters {
    std::int64_t attempts = 5;
    std::string inbox, keys;
    std::int64_t limit = 1;
    std::string transfer_syntax = "*";
    static constexpr auto describe() {
      return std::tuple_cat(
          web_parameters<Params>(),
          std::tuple{
              param(&Params::attempts, "attempts", Unit::none, 1, 100,
                    "When the network fails or the server is busy (429, 503: as long as Retry-After says)."),
              param(&Params::inbox, "inbox", "Folder for what comes.", isocenter::required | isocenter::path),
              param(&Params::keys, "keys", "Which series."),
              param(&Params::limit, "limit", Unit::none, 1, 1e6, "More series that match are an error."),
              param(&Params::transfer_syntax, "transfer_syntax",
                    "The UID of the transfer syntax that images come in; *: as they are stored there."),
          });
    }
  };
  struct Ports {
    Out<Volume> output{"output", "A series, as dicom_series_source gives it."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
