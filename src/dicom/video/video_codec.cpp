#include "video_codec.hpp"

#include <string_view>

namespace isocenter::detail::dicom {

std::string name_of(VideoCodec codec) {
  return codec == VideoCodec::h264 ? "H.264 (ISO/IEC 14496-10)" : "HEVC (ISO/IEC 23008-2)";
}

std::optional<VideoCodec> video_codec_of(const std::string& uid) {
  constexpr std::string_view family = "1.2.840.10008.1.2.4.10";
  if (uid.compare(0, family.size(), family) != 0) return std::nullopt;
  const std::string_view rest = std::string_view(uid).substr(family.size());
  if (rest.empty() || (rest.size() > 1 && rest.substr(1) != ".1")) return std::nullopt;
  if (rest[0] >= '2' && rest[0] <= '6') return VideoCodec::h264;
  if (rest[0] == '7' || rest[0] == '8') return VideoCodec::hevc;
  return std::nullopt;
}

bool has_decoder(VideoCodec codec) {
#if defined(ISOCENTER_H264)
  if (codec == VideoCodec::h264) return true;
#endif
#if defined(ISOCENTER_HEVC)
  if (codec == VideoCodec::hevc) return true;
#endif
  static_cast<void>(codec);
  return false;
}

}  // namespace isocenter::detail::dicom
