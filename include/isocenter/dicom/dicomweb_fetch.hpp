#pragma once
#include <isocenter/dicom/web_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomwebPicture { jpeg, png };
inline constexpr const char* dicomweb_picture_choices[] = {"jpeg", "png"};

/// Fetches what a DICOMweb service has into a folder (WADO-RS, PS3.18 section 10.4). By `content`:
///
/// | instances | inbox/<study>/<series>/<instance>.dcm, durable, as they arrive                            |
/// | metadata  | inbox/metadata.json, an array of the DICOM JSON model                                     |
/// | frames    | inbox/<instance>_<frame>.bin, in `transfer_syntax`                                        |
/// | rendered  | inbox/<instance>.jpg or .png, or <instance>_<frame>.jpg for each of `frames`              |
///
/// Metrics: completed, failed (instances; else files). Errors: as dicomweb_find; invalid_argument unless the keys are
/// unique keys; bad_data when not everything came, was damaged, or was not what was asked for. What came is kept.
struct DicomwebFetch {
  static constexpr const char* name = "dicomweb_fetch";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Fetches instances, metadata, frames or pictures from a DICOMweb service (WADO-RS) into a folder.";
  static constexpr const char* help =
      "Keys, separated by newlines: StudyInstanceUID=..., and SeriesInstanceUID and SOPInstanceUID for less.";
  static constexpr bool host_only = true;
  struct Params : WebParameters {
    std::int64_t attempts = 5;
    std::string inbox, keys;
    DicomwebContent content = DicomwebContent::instances;
    std::string transfer_syntax = "*";
    std::string frames;
    DicomwebPicture picture = DicomwebPicture::jpeg;
    bool bulk_data = false;
    static constexpr auto describe() {
      return std::tuple_cat(
          web_parameters<Params>(),
          std::tuple{
              param(&Params::attempts, "attempts", Unit::none, 1, 100,
                    "When the network fails or the server is busy (429, 503: as long as Retry-After says)."),
              param(&Params::inbox, "inbox", "Folder for what comes.", isocenter::required | isocenter::path),
              param(&Params::keys, "keys", "What to fetch."),
              choice(&Params::content, "content", dicomweb_content_choices, "What of it."),
              param(&Params::transfer_syntax, "transfer_syntax",
                    "The UID of the transfer syntax of instances and frames; *: as they are stored there."),
              param(&Params::frames, "frames", "Numbers of frames, from 1, separated by commas."),
              choice(&Params::picture, "picture", dicomweb_picture_choices, "The format of rendered pictures."),
              param(&Params::bulk_data, "bulk_data", "Metadata: fetch what it only refers to, too."),
          });
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
