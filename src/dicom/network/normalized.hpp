#pragma once
// DIMSE-N as user (PS3.7 section 10): one request with a data set, and the peer's answer to it.
#include <functional>

#include "association.hpp"

namespace isocenter::detail::dicom {

/// Whether a message of the peer, of which the command was received on this context, was for whoever gave this.
using Meanwhile = std::function<bool(T_ASC_PresentationContextID, const T_DIMSE_Message&)>;

/// Sends N-ACTION-RQ, N-CREATE-RQ or N-SET-RQ, and returns the status of the answer; what data set the answer brings is
/// read and dropped. `what` is the service's name in messages. `meanwhile` gets what the peer sends before its answer,
/// and reads its data set. Throws Failure for what the network does, and bad_data when the peer sends something else.
std::uint16_t exchange(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request,
                       DcmDataset& data_set, const std::string& what, const Meanwhile& meanwhile = {});

}  // namespace isocenter::detail::dicom
