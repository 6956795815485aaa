#include "picture_decoder.hpp"

namespace isocenter::detail::dicom {

std::unique_ptr<PictureDecoder> make_decoder(VideoCodec codec, int width, int height) {
#if defined(ISOCENTER_H264)
  if (codec == VideoCodec::h264) return make_h264_decoder(width, height);
#endif
#if defined(ISOCENTER_HEVC)
  if (codec == VideoCodec::hevc) return make_hevc_decoder(width, height);
#endif
  static_cast<void>(codec);
  static_cast<void>(width);
  static_cast<void>(height);
  return nullptr;
}

}  // namespace isocenter::detail::dicom
