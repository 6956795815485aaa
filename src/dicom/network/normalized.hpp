#pragma once
// DIMSE-N as user (PS3.7 section 10): one request with a data set, and the peer's answer to it.
#include "association.hpp"

namespace isocenter::detail::dicom {

/// Sends N-ACTION-RQ, N-CREATE-RQ or N-SET-RQ, and returns the status of the answer; what data set the answer brings is
/// read and dropped. `what` is the service's name in messages. Throws Failure for what the network does, and bad_data
/// when the peer answers something else.
std::uint16_t exchange(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request,
                       DcmDataset& data_set, const std::string& what);

/// Longest data set that is taken in an answer or a report: one of a commitment has 200 bytes for an instance.
inline constexpr std::uint64_t longest_answer = std::uint64_t{64} << 20U;

/// Reads the data set that follows a command. Throws Failure: bad_data when it is longer than `longest_answer`, nested
/// too deeply, or none.
std::unique_ptr<DcmDataset> receive_data_set(T_ASC_Association* association, const Peer& peer, const std::string& what);

}  // namespace isocenter::detail::dicom
