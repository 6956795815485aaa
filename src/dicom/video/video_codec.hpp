#pragma once
// Which codec a video's transfer syntax names.
#include <optional>
#include <string>

namespace isocenter::detail::dicom {

enum class VideoCodec { h264, hevc };

/// "H.264 (ISO/IEC 14496-10)".
std::string name_of(VideoCodec codec);

/// Of 1.2.840.10008.1.2.4.102 to .106 and .107, .108, whole or fragmentable (.1); nothing for others, MPEG-2 among
/// them.
std::optional<VideoCodec> video_codec_of(const std::string& transfer_syntax_uid);

/// Whether the build decodes it.
bool has_decoder(VideoCodec codec);

}  // namespace isocenter::detail::dicom
