#include "dicomweb_operators.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"
#include "web/web_query.hpp"

namespace isocenter::detail::dicom {
namespace {

WebLevel web_level(DicomQueryLevel level) {
  switch (level) {
    case DicomQueryLevel::study:
      return WebLevel::study;
    case DicomQueryLevel::series:
      return WebLevel::series;
    case DicomQueryLevel::image:
      return WebLevel::instance;
    default:
      throw Failure(ErrorCode::invalid_argument, "level = patient is none of DICOMweb's",
                    "ask for studies with PatientID or PatientName");
  }
}

}  // namespace

void DicomwebFindOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  const WebLevel level = web_level(params.level);
  WebClient client(web_peer_of(params, params.attempts), [] { return false; });
  const auto answers =
      web_find(client, level, with_usual_keys(DicomQueryModel::study_root, params.level, query_keys(params.keys)),
               static_cast<std::size_t>(params.limit));
  std::string all = "[";
  for (const std::string& answer : answers) all += (all.size() > 1 ? ",\n" : "\n") + answer;
  plan.fact("dicom.answers", all + "\n]\n");
  plan.items(0);
}

void DicomwebFindOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
