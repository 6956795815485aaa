#pragma once
// Storage commitment as user, push model (PS3.4 annex J): the peer says for which instances it takes responsibility.
#include <functional>
#include <string>
#include <vector>

#include "commitment_requests.hpp"
#include "peer.hpp"
#include "stored_instance.hpp"

namespace isocenter::detail::dicom {

struct CommitmentOptions {
  /// The peer may report over an association of its own to us, at this port, under our title calling_ae; 0: it has to
  /// report over the association that asked.
  int listen_port = 0;
  int wait_s = 300;  ///< for the report
};

struct Commitment {
  struct Failed {
    std::string sop_instance_uid;
    std::string why;  ///< the peer's FailureReason (0008,1197) in words, or that it did not name the instance
  };
  std::vector<std::string> committed;  ///< SOP instance UIDs
  std::vector<Failed> failed;
};

/// Asks (N-ACTION) and waits for the report (N-EVENT-REPORT), whichever way it comes. Each instance is in exactly one
/// list of the result, in the order given. Throws Failure: io_error for what the network does, when no report came in
/// time and when the port cannot be had; bad_data when the peer refuses the request; cancelled when `cancelled` says
/// so.
Commitment commit(const Peer& peer, const std::vector<InstanceName>& instances, const CommitmentOptions& options,
                  const std::function<bool()>& cancelled);

/// Takes what a report says. Whether instances are still open.
using TakeCommitment = std::function<bool(const Commitment&)>;

/// The same for a process that may be killed meanwhile: what `requests` has was asked for before, and when the peer may
/// still report on it (it said so, wait_s are not over, and there is a listen_port) it is not asked again before they
/// are. `take` gets the report before it is answered, so that the peer brings it again when we are killed while it is
/// taken. Of a report on an older request only those are in the lists that it commits.
void commit(const Peer& peer, const std::vector<InstanceName>& instances, const CommitmentOptions& options,
            CommitmentRequests& requests, const TakeCommitment& take, const std::function<bool()>& cancelled);

}  // namespace isocenter::detail::dicom
