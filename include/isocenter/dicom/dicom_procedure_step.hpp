#pragma once
#include <isocenter/dicom/peer_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomStepAction { start, complete, discontinue };
inline constexpr const char* dicom_step_action_choices[] = {"start", "complete", "discontinue"};

/// Tells an information system that an examination began, or how it ended (modality performed procedure step, PS3.4
/// annex F.7). No ports: a session that runs does it once; the node's fact "dicom.procedure_step" is the step's SOP
/// instance UID.
///
/// `start` needs Modality and ScheduledStepAttributesSequence[0].StudyInstanceUID among the keys; the station's AE
/// title, the step's ID and the time of its start are ours and the moment's unless they are given. `complete` and
/// `discontinue` need the UID, and of each series that was made its SeriesInstanceUID and ProtocolName, by keys or out
/// of the files of `path`, which are there when the session is prepared; the time is the moment's unless it is given.
///
/// Errors, before anything is sent: invalid_argument for what is missing or no value of its attribute, with keyword,
/// tag, value and what is allowed. When the session runs: bad_data when the peer refuses; as dicom_echo
/// for the network.
struct DicomProcedureStep {
  static constexpr const char* name = "dicom_procedure_step";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Tells an information system that an examination began or ended (MPPS).";
  static constexpr const char* help =
      "Keys, separated by newlines: Modality=CT, PatientID=123, "
      "ScheduledStepAttributesSequence[0].StudyInstanceUID=1.2.3, "
      "PerformedSeriesSequence[0].ProtocolName=HEAD.";
  static constexpr bool host_only = true;
  struct Params : PeerParameters {
    DicomStepAction action = DicomStepAction::start;
    std::string uid;
    std::string keys;
    std::string path;
    static constexpr auto describe() {
      return std::tuple_cat(
          peer_parameters<Params>(),
          std::tuple{
              choice(&Params::action, "action", dicom_step_action_choices, "What happened."),
              param(&Params::uid, "uid", "The step's SOP instance UID; start makes one when it is empty."),
              param(&Params::keys, "keys", "Attributes of the step."),
              param(&Params::path, "path", "The end: a file or folder with the instances that were made; may be empty.",
                    isocenter::path)});
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
