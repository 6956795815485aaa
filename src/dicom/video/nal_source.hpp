#pragma once
// NAL units out of the container that a video lies in (PS3.5 8.2.7 to 8.2.11: ISO/IEC 14496-12 or ISO/IEC 13818-1).
#include <memory>
#include <optional>
#include <vector>

#include "stream_bytes.hpp"
#include "video_codec.hpp"

namespace isocenter::detail::dicom {

class NalSource {
 public:
  virtual ~NalSource() = default;
  /// The next unit in decoding order, without start code or length; false at the end. Throws StreamError.
  virtual bool next(std::vector<std::uint8_t>& nal) = 0;
  /// What the container calls the units; nothing when it does not say (a bare byte stream).
  virtual std::optional<VideoCodec> codec() const = 0;
  /// How many pictures the container announces, when it does.
  virtual std::optional<std::uint64_t> pictures() const { return std::nullopt; }
};

/// Recognises MP4, MPEG-2 transport stream and the bare byte stream (ISO/IEC 14496-10 annex B). Units beyond
/// `largest_nal` bytes are refused. `bytes` stays the caller's. Throws StreamError when it is none of them.
std::unique_ptr<NalSource> open_nal_source(StreamBytes& bytes, std::size_t largest_nal);

}  // namespace isocenter::detail::dicom
