#pragma once
// C-STORE as user: instances in files to a peer.
#include <span>
#include <vector>

#include "association.hpp"
#include "carrier.hpp"

namespace isocenter::detail::dicom {

/// What to propose for these files, in as many associations as their SOP classes and transfer syntaxes need: each
/// class in the file's own syntax, and in the uncompressed ones.
std::vector<ContextProposal> proposals_for(std::span<const Outgoing> files);

/// Sends one file as it is, or uncompressed when the peer takes only that. Throws Failure when the association broke:
/// then nobody knows whether the peer has it.
StoreAnswer store(Association& association, const Outgoing& file);

}  // namespace isocenter::detail::dicom
