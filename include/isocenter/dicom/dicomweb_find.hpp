#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/dicom/web_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Asks a DICOMweb service what it has (QIDO-RS, PS3.18 section 10.6). No ports: it does so while the pipeline is
/// prepared; the node's fact "dicom.answers" is an array of the DICOM JSON model, as that of dicom_find.
///
/// Errors: invalid_argument for a key that is no attribute, 400, 401 and 403; not_found (404), unsupported (405, 406,
/// 501), io_error for the network and 5xx, timeout; bad_data for an answer that is none, or more than `limit`.
struct DicomwebFind {
  static constexpr const char* name = "dicomweb_find";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Asks a DICOMweb service what it has (QIDO-RS).";
  static constexpr const char* help =
      "Keys, separated by newlines: PatientID=123, StudyDate=20260101-20260131, ModalitiesInStudy=CT, or a keyword "
      "alone to ask for its value.";
  static constexpr bool host_only = true;
  struct Params : WebParameters {
    std::int64_t attempts = 5;
    DicomQueryLevel level = DicomQueryLevel::study;
    std::string keys;
    std::int64_t limit = 10000;
    static constexpr auto describe() {
      return std::tuple_cat(
          web_parameters<Params>(),
          std::tuple{param(&Params::attempts, "attempts", Unit::none, 1, 100,
                           "When the network fails or the server is busy (429, 503: as long as Retry-After says)."),
                     choice(&Params::level, "level", dicom_query_level_choices,
                            "Of what the answers tell; patient is none of DICOMweb's."),
                     param(&Params::keys, "keys", "What has to match or is asked for."),
                     param(&Params::limit, "limit", Unit::none, 1, 1e6, "More answers are an error.")});
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
