#pragma once
// STOW-RS: instances in files to a DICOMweb service (PS3.18 section 10.5).
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "../network/carrier.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// Posts these files at once; an answer for each, in their order. Throws Failure: as WebClient::request; io_error when
/// the answer does not say what became of each, so that nobody knows.
std::vector<StoreAnswer> web_store(WebClient& client, std::span<const Outgoing> files);

/// "0xa900, data set does not match SOP class": a failure or warning reason of an answer (PS3.18 section I.2.2).
std::string store_reason_text(std::uint16_t reason);

}  // namespace isocenter::detail::dicom
