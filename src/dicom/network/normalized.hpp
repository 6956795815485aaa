#pragma once
// DIMSE-N as user (PS3.7 section 10): one request with a data set, and the peer's answer to it.
#include "association.hpp"

namespace isocenter::detail::dicom {

/// Sends N-ACTION-RQ, N-CREATE-RQ or N-SET-RQ, and returns the status of the answer; what data set the answer brings is
/// read and dropped. `what` is the service's name in messages. Throws Failure for what the network does, and bad_data
/// when the peer answers something else.
std::uint16_t exchange(Association& association, T_ASC_PresentationContextID context, T_DIMSE_Message& request,
                       DcmDataset& data_set, const std::string& what);

}  // namespace isocenter::detail::dicom
