#pragma once
// DIMSE messages as user, one at a time, in bounded memory (PS3.7 section 6.3).
#include "association.hpp"

namespace isocenter::detail::dicom {

/// Sends a request, with its data set unless that is null. `what` is the service's name in messages here and below.
/// Throws Failure for what the network does.
void send(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request, DcmDataset* data_set,
          const std::string& what);

/// Receives the next command, over the presentation context `on`; a data set may follow it. Throws as send().
T_DIMSE_Message receive(T_ASC_Association* association, const Peer& peer, T_ASC_PresentationContextID& on,
                        const std::string& what);

/// Longest data set that is taken in an answer or a report: one of a commitment has 200 bytes for an instance.
inline constexpr std::uint64_t longest_answer = std::uint64_t{64} << 20U;

/// Reads the data set that follows a command. Throws Failure: bad_data when it is longer than `longest_answer`, nested
/// too deeply, or none.
std::unique_ptr<DcmDataset> receive_data_set(T_ASC_Association* association, const Peer& peer, const std::string& what);

/// Throws Failure(bad_data): the peer sent another message than it had to.
[[noreturn]] void fail_with_other_message(const Peer& peer, const std::string& what, const char* wanted);

}  // namespace isocenter::detail::dicom
