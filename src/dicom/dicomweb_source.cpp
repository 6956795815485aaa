#include <dcmtk/dcmdata/dcdeftag.h>

#include "dicomweb_operators.hpp"
#include "network_operators.hpp"
#include "toolkit.hpp"
#include "web/web_query.hpp"

namespace isocenter::detail::dicom {
namespace {

/// The series of a query's answer.
WebResource series_in(const std::string& answer, const std::string& where) {
  WebResource series;
  read_json_model(answer, where, [&](std::unique_ptr<DcmDataset> data_set) {
    OFString uid;
    if (data_set->findAndGetOFString(DCM_StudyInstanceUID, uid).good()) series.study = uid.c_str();
    if (data_set->findAndGetOFString(DCM_SeriesInstanceUID, uid).good()) series.series = uid.c_str();
  });
  if (!is_uid(series.study) || !is_uid(series.series))
    throw Failure(ErrorCode::bad_data,
                  where + ": an answer lacks StudyInstanceUID (0020,000D) or SeriesInstanceUID (0020,000E)",
                  "look into the server's log");
  return series;
}

}  // namespace

std::string DicomwebSourceOperator::fetch(WebClient& client, const WebResource& series) const {
  Inbox inbox(params.inbox);
  const WebRetrieved done = web_retrieve(client, series, params.transfer_syntax, inbox);
  if (!done.complaint.empty()) {
    const auto [what, fix] = what_and_fix(done.complaint);
    throw Failure(ErrorCode::bad_data, what, fix);
  }
  return params.inbox + "/" + series.study + "/" + series.series;
}

void DicomwebSourceOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  require_transfer_syntax(params.transfer_syntax);
  WebClient client(web_peer_of(params, params.attempts), [] { return false; });
  const auto keys = with_usual_keys(DicomQueryModel::study_root, DicomQueryLevel::series, query_keys(params.keys));
  series_.clear();
  for (const std::string& answer : web_find(client, WebLevel::series, keys, static_cast<std::size_t>(params.limit)))
    series_.push_back(series_in(answer, "GET " + client.peer().url + "/series"));
  if (series_.empty())
    throw Failure(ErrorCode::not_found, client.peer().url + " has no series that matches the keys",
                  "look with dicomweb_find");
  next_ = 0;
  first_ = fetch(client, series_.front());
  volumes_.describe(first_, Workers(plan.launcher()), plan.output("output"));
  plan.items(static_cast<std::int64_t>(series_.size()));
  plan.fact("series", std::to_string(series_.size()));
}

void DicomwebSourceOperator::run(const RunContext& run) {
  const DcmtkLog log;
  if (next_ == series_.size()) throw EndOfStream{};
  const WebResource series = series_[next_++];
  std::string folder = std::exchange(first_, "");
  if (folder.empty()) {
    WebClient client(web_peer_of(params, params.attempts), [&] { return run.cancelled(); });
    folder = fetch(client, series);
  }
  volumes_.load(folder, run);
}

}  // namespace isocenter::detail::dicom
