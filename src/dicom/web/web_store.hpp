#pragma once
// STOW-RS: instances in files to a DICOMweb service (PS3.18 section 10.5), through an outbox on disk.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../network/outbox.hpp"
#include "../network/store.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// Posts these files at once; an answer for each, in their order. Throws Failure: as WebClient::request; io_error when
/// the answer does not say what became of each, so that nobody knows.
std::vector<StoreAnswer> web_store(WebClient& client, const std::vector<Outgoing>& files);

/// "0xa900, data set does not match SOP class": a failure or warning reason of an answer (PS3.18 section I.2.2).
std::string store_reason_text(std::uint16_t reason);

struct WebDeliveryOptions {
  int batch = 50;                                         ///< instances in one request
  std::uint64_t batch_bytes = std::uint64_t{128} << 20U;  ///< and no more than this, unless one is larger
  int attempts = 8;                                       ///< as DeliveryOptions
  double first_pause_s = 1;
  double longest_pause_s = 300;
};

/// Sends what an outbox folder holds, as Outbox::deliver does over an association: an instance lies in sending/ before
/// its first byte goes out, and is removed when the answer names it as stored. What is found in sending/ is looked up
/// (QIDO-RS) and sent only if the service does not have it. A batch that is too large for the server is halved. The
/// caller holds the Outbox, and with it the folder's lock.
Outbox::Delivery web_deliver(const Outbox& outbox, const std::string& folder, WebClient& client,
                             const WebDeliveryOptions& options,
                             const std::function<void(const Outbox::Delivery&)>& progress = {});

}  // namespace isocenter::detail::dicom
