#include "store_carrier.hpp"

#include <algorithm>
#include <isocenter/error.hpp>
#include <map>
#include <memory>

#include "query.hpp"
#include "store.hpp"

namespace isocenter::detail::dicom {

StoreCarrier::StoreCarrier(const Peer& peer, int associations, int batch,
                           const std::optional<CommitmentOptions>& commitment)
    : peer_(peer), associations_(std::max(1, associations)), batch_(std::max(1, batch)), commitment_(commitment) {
  require_valid(peer);
}

std::size_t StoreCarrier::load(std::span<const Outgoing> waiting) const {
  std::size_t count = std::min(waiting.size(), static_cast<std::size_t>(batch_));
  while (count > 1 && proposals_for(waiting.first(count)).size() > most_contexts) count /= 2;
  return count;
}

Trip StoreCarrier::carry(std::span<const Outgoing> files, const Settle& settle, const std::function<bool()>& stop) {
  Trip trip;
  try {
    Association association(peer_, proposals_for(files));
    while (trip.offered < files.size() && !trip.failed && !stop()) {
      const Outgoing& file = files[trip.offered++];
      const StoreAnswer answer = store(association, file);
      settle(file, answer);
      trip.failed = answer.outcome == StoreAnswer::Outcome::try_later;
    }
    association.release();
  } catch (const Error& e) {
    trip.complaint = e.what();
    trip.failed = true;
  }
  return trip;
}

Attempt StoreCarrier::look_up(std::span<const Outgoing> files, const std::function<void(const Outgoing&)>& there) {
  Attempt attempt;
  std::unique_ptr<Association> association;
  try {
    association = std::make_unique<Association>(peer_, std::vector{find_proposal(QueryModel::study_root)});
    for (const Outgoing& file : files)
      if (has_instance(*association, file.name)) there(file);
    association->release();
  } catch (const Error& e) {
    attempt.complaint = e.what();
    attempt.failed = association != nullptr || e.code() != ErrorCode::unsupported;
    if (!attempt.failed)
      attempt.complaint = std::to_string(files.size()) + " instances may have been sent before, and " + peer_.name() +
                          " offers no C-FIND to look them up: they are sent again. Fix: let our AE title query the "
                          "peer, and none is sent twice.";
  }
  return attempt;
}

Attempt StoreCarrier::commit(std::span<const Outgoing> files, const std::string& requests,
                             const SettleCommitment& settle, const std::function<bool()>& stop) {
  Attempt attempt;
  try {
    std::map<std::string, std::vector<const Outgoing*>> open;  // by SOP instance UID; one may have been put in twice
    std::vector<InstanceName> names;
    for (const Outgoing& file : files) {
      auto& same = open[file.name.sop_instance_uid];
      if (same.empty()) names.push_back(file.name);
      same.push_back(&file);
    }
    const auto settle_all = [&](const std::string& uid, const std::string& why_not) {
      for (const Outgoing* file : open[uid]) settle(*file, why_not);
      open.erase(uid);
    };
    CommitmentRequests asked(requests);
    dicom::commit(
        peer_, names, *commitment_, asked,
        [&](const Commitment& report) {
          for (const std::string& uid : report.committed) settle_all(uid, "");
          for (const Commitment::Failed& failed : report.failed) settle_all(failed.sop_instance_uid, failed.why);
          return !open.empty();
        },
        stop);
  } catch (const Error& e) {
    attempt.complaint = e.what();
    attempt.failed = true;
    attempt.hopeless = e.code() == ErrorCode::unsupported;
  }
  return attempt;
}

}  // namespace isocenter::detail::dicom
