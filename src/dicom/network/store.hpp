#pragma once
// C-STORE as user: instances in files to a peer.
#include <string>
#include <vector>

#include "association.hpp"
#include "stored_instance.hpp"

namespace isocenter::detail::dicom {

/// A file that is to be sent.
struct Outgoing {
  std::string path;
  InstanceName name;
};

/// What to propose for these files, in as many associations as their SOP classes and transfer syntaxes need: each
/// class in the file's own syntax, and in the uncompressed ones.
std::vector<ContextProposal> proposals_for(const std::vector<Outgoing>& files);

struct StoreAnswer {
  enum class Outcome {
    stored,
    refused,   ///< for good: the same instance will not be taken later either
    try_later  ///< the peer is out of resources
  };
  Outcome outcome = Outcome::stored;
  std::string text;  ///< one sentence when it was not stored, or was with a warning
};

/// Sends one file as it is, or uncompressed when the peer takes only that. Throws Failure when the association broke:
/// then nobody knows whether the peer has it.
StoreAnswer store(Association& association, const Outgoing& file);

}  // namespace isocenter::detail::dicom
