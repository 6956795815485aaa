#include "network/commitment.hpp"
#include "service_operators.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t most_warnings = 1000;

std::vector<InstanceName> instances_below(const std::string& path) {
  std::vector<InstanceName> names;
  for (const std::string& file : files_below(path)) names.push_back(name_of_file(file));
  if (names.empty())
    throw Failure(ErrorCode::not_found, "'" + path + "' (path) has no file", "give the files that were sent");
  return names;
}

}  // namespace

void DicomCommitOperator::plan(PlanContext& plan) {
  use_dcmtk();
  const DcmtkLog log;
  peer_of(params);
  files_below(params.path);
  plan.items(1);
  for (const char* name : {"committed", "failed"}) plan.metric(name, "instances", 1);
}

void DicomCommitOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const DcmtkLog log;
  const Peer peer = peer_of(params);
  const Commitment done =
      commit(peer, instances_below(params.path),
             {static_cast<int>(params.listen_port), static_cast<int>(params.wait_s)}, [&] { return run.cancelled(); });
  run.metric("committed", static_cast<double>(done.committed.size()));
  run.metric("failed", static_cast<double>(done.failed.size()));
  if (done.failed.empty()) return;
  const auto sentence = [](const Commitment::Failed& failed) {
    return "instance " + failed.sop_instance_uid + " is not committed: " + failed.why;
  };
  for (std::size_t i = 0; i < std::min(done.failed.size(), most_warnings); ++i)
    run.warn(sentence(done.failed[i]), "send it again, then ask again");
  throw Failure(ErrorCode::bad_data,
                peer.name() + " does not commit itself to " + std::to_string(done.failed.size()) + " of " +
                    std::to_string(done.failed.size() + done.committed.size()) +
                    " instances: " + sentence(done.failed.front()),
                "keep them, send them again, then ask again");
}

}  // namespace isocenter::detail::dicom
