#include <sstream>

#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {

std::vector<QueryKey> query_keys(const std::string& text) {
  std::vector<QueryKey> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    keys.push_back({line.substr(0, equals), equals == std::string::npos ? "" : line.substr(equals + 1)});
  }
  return keys;
}

std::string level_name(DicomQueryLevel level) {
  switch (level) {
    case DicomQueryLevel::patient:
      return "PATIENT";
    case DicomQueryLevel::series:
      return "SERIES";
    case DicomQueryLevel::image:
      return "IMAGE";
    default:
      return "STUDY";
  }
}

std::vector<QueryKey> with_usual_keys(DicomQueryModel model, DicomQueryLevel level, std::vector<QueryKey> keys) {
  std::vector<const char*> usual;
  if (model == DicomQueryModel::worklist) {
    usual = {"PatientName",
             "PatientID",
             "PatientBirthDate",
             "PatientSex",
             "AccessionNumber",
             "StudyInstanceUID",
             "RequestedProcedureID",
             "RequestedProcedureDescription",
             "ScheduledProcedureStepSequence[0].ScheduledStationAETitle",
             "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate",
             "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime",
             "ScheduledProcedureStepSequence[0].Modality",
             "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID",
             "ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription"};
  } else if (level == DicomQueryLevel::patient) {
    usual = {"PatientID", "PatientName", "PatientBirthDate", "PatientSex"};
  } else if (level == DicomQueryLevel::study) {
    usual = {"StudyInstanceUID", "PatientID",       "PatientName",     "StudyDate",
             "StudyTime",        "AccessionNumber", "StudyDescription"};
  } else if (level == DicomQueryLevel::series) {
    usual = {"StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription"};
  } else {
    usual = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber"};
  }
  for (const char* attribute : usual) {
    bool given = false;
    for (const QueryKey& key : keys) given = given || key.attribute == attribute;
    if (!given) keys.push_back({attribute, ""});
  }
  return keys;
}

void DicomFindOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  const Peer peer = peer_of(params);
  const auto model = static_cast<QueryModel>(params.model);
  const bool worklist = params.model == DicomQueryModel::worklist;
  const auto query = make_query(worklist ? "" : level_name(params.level),
                                with_usual_keys(params.model, params.level, query_keys(params.keys)));
  Association association(peer, {find_proposal(model)});
  const auto answers = find(association, model, *query, static_cast<std::size_t>(params.limit));
  association.release();
  if (!answers.complaint.empty()) {
    const auto [what, fix] = what_and_fix(answers.complaint);
    plan.warn(what, fix);
  }
  std::string all = "[";
  for (const std::string& answer : answers.json) all += (all.size() > 1 ? ",\n" : "\n") + answer;
  plan.fact("dicom.answers", all + "\n]\n");
  plan.items(0);
}

void DicomFindOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
