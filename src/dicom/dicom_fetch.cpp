#include "network_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {

void DicomFetchOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  peer_of(params);
  if (query_keys(params.keys).empty())
    throw Failure(ErrorCode::invalid_argument, "keys is empty: everything would be fetched",
                  "name what to fetch: StudyInstanceUID=1.2.3");
  make_query(level_name(params.level), query_keys(params.keys));
  plan.items(1);
  plan.metric("completed", "instances", 1);
  plan.metric("failed", "instances", 1);
}

void DicomFetchOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  const Peer peer = peer_of(params);
  const auto query = make_query(level_name(params.level), query_keys(params.keys));
  const auto report = [&](const Retrieved& so_far) { run.metric("completed", so_far.completed); };
  Retrieved done;
  if (params.method == DicomFetchMethod::get) {
    Inbox inbox(params.inbox);
    const Modalities modalities = ask_modalities(peer, *query);
    Association association(peer, get_proposals(QueryModel::study_root, modalities.known));
    done = get(association, QueryModel::study_root, *query, inbox, report);
    association.release();
    if (!modalities.complaint.empty() && done.failed > 0) {
      const auto [what, fix] = what_and_fix(modalities.complaint);
      run.warn("instances were asked for uncompressed alone, because the modalities are not known: " + what, fix);
    }
  } else {
    const std::string destination = params.destination.empty() ? params.calling_ae : params.destination;
    std::unique_ptr<Listener> listener;
    if (params.listen_port != 0) {
      ListenerOptions options;
      options.ae_title = destination;
      options.port = static_cast<int>(params.listen_port);
      options.timeout_s = static_cast<int>(params.timeout_s);
      options.tls = tls_of(params);
      listener = std::make_unique<Listener>(options, params.inbox);
    }
    Association association(peer, {move_proposal(QueryModel::study_root)});
    done = move(association, QueryModel::study_root, *query, destination, report);
    association.release();
  }
  run.metric("completed", done.completed);
  run.metric("failed", done.failed);
  if (done.completed + done.failed + done.warnings == 0)
    throw Failure(ErrorCode::not_found, peer.name() + " has nothing that matches the keys",
                  "look with dicom_find, and name unique keys down to the level");
  if (!done.complaint.empty())
    throw Failure(ErrorCode::bad_data, done.complaint, "look into the peer's log; what came is in the inbox");
}

}  // namespace isocenter::detail::dicom
