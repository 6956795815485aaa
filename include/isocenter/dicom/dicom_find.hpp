#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Asks a peer what it has (C-FIND, PS3.4 annex C), or what is planned (modality worklist, annex K). No ports: it does
/// so while the pipeline is prepared; the node's fact "dicom.answers" is an array of the DICOM JSON model (PS3.18 annex
/// F).
///
/// Errors: invalid_argument for a key that is no attribute; bad_data for an answer that is none, or more than `limit`;
/// as dicom_echo for the network.
struct DicomFind {
  static constexpr const char* name = "dicom_find";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Asks a PACS what it has (C-FIND), or a scheduler what is planned (modality worklist).";
  static constexpr const char* help =
      "Keys, separated by newlines: PatientID=123, StudyDate=20260101-20260131, ModalitiesInStudy=CT, or a keyword "
      "alone to "
      "ask for its value. Within a sequence: ScheduledProcedureStepSequence[0].Modality=CT.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters {
    DicomQueryModel model = DicomQueryModel::study_root;
    DicomQueryLevel level = DicomQueryLevel::study;
    std::string keys;
    std::int64_t limit = 10000;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(),
          std::tuple{choice(&Params::model, "model", dicom_query_model_choices,
                            "What is asked: images by study or patient, or the worklist."),
                     choice(&Params::level, "level", dicom_query_level_choices,
                            "Of what the answers tell; not for the worklist."),
                     param(&Params::keys, "keys", "What has to match or is asked for."),
                     param(&Params::limit, "limit", Unit::none, 1, 1e6, "More answers are an error.")});
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
