#pragma once
// WADO-RS: instances, metadata, frames and rendered pictures of a DICOMweb service (PS3.18 section 10.4).
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../network/inbox.hpp"
#include "../network/query.hpp"
#include "json_model.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// A study, a series of it, or an instance of that: what is below may be empty.
struct WebResource {
  std::string study, series, instance;
  /// "/studies/1.2/series/1.3"
  std::string path() const;
};

/// From StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID. Throws Failure(invalid_argument) for other keys, values
/// that are no UIDs, and gaps.
WebResource web_resource(const std::vector<QueryKey>& keys);

struct WebRetrieved {
  std::int64_t completed = 0;  ///< are in the inbox, durably; those that were there before, too
  std::int64_t failed = 0;     ///< came and were not taken
  std::string complaint;       ///< one sentence when not everything came or was taken
};

/// Every instance of it into the inbox, one after the other as they arrive. `transfer_syntax` is a UID or "*", as they
/// are stored there. Beyond one part nothing is kept in memory. Throws Failure: as WebClient::request; bad_data when
/// the answer is no multipart/related of application/dicom, or damaged (what came whole is in the inbox); io_error for
/// the disk.
WebRetrieved web_retrieve(WebClient& client, const WebResource& resource, const std::string& transfer_syntax,
                          Inbox& inbox, const std::function<void(const WebRetrieved&)>& progress = {});

/// The metadata of every instance of it in the DICOM JSON model, one after the other. With `bulk_data` what the
/// metadata only refers to (BulkDataURI) is fetched, from the same service alone, and stands there as InlineBinary.
void web_metadata(WebClient& client, const WebResource& resource, bool bulk_data,
                  const std::function<void(std::string)>& take);

struct WebPart {
  MediaType type;
  std::vector<std::uint8_t> bytes;
};

/// Frames of an instance, from 1, in the order that was asked for: bytes as stored (`transfer_syntax` "*"), or in the
/// transfer syntax that is named.
std::vector<WebPart> web_frames(WebClient& client, const WebResource& instance, const std::vector<int>& frames,
                                const std::string& transfer_syntax);

/// A picture of an instance, or of one of its frames (from 1; 0: the server's choice): image/jpeg or image/png.
WebPart web_rendered(WebClient& client, const WebResource& instance, int frame, const std::string& media_type);

}  // namespace isocenter::detail::dicom
