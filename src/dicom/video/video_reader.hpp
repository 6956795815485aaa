#pragma once
// The pictures of a video object, one after the other.
#include <memory>
#include <vector>

#include "../image.hpp"
#include "picture_decoder.hpp"

namespace isocenter::detail::dicom {

/// Holds one unit, the decoder's own pictures and no more, however long the video is. A picture before the last one
/// asked for makes it begin again. Throws StreamError.
class VideoReader {
 public:
  explicit VideoReader(const Image& image);

  /// Picture `number` (from 0) as it was decoded, valid until the next call.
  VideoPicture picture(int number);
  /// Throws when the stream goes on behind the last of `pictures`, which has to be the picture read last.
  void require_end(int pictures);

  /// What decoding takes beside the picture that is asked for, in bytes: 17 pictures (ISO/IEC 14496-10 A.3.1 allows 16
  /// to be kept) and the largest unit.
  static std::uint64_t working_bytes(const PixelFormat& format);

 private:
  bool next(VideoPicture& picture);

  StreamBytes bytes_;
  std::unique_ptr<NalSource> source_;
  std::unique_ptr<PictureDecoder> decoder_;
  std::vector<std::uint8_t> nal_;
  VideoCodec codec_;
  int width_, height_;
  std::size_t largest_nal_;
  int next_ = 0;
  bool finished_ = false;

  void begin();
};

/// What the stream of a video object says of itself, without a decoded picture.
struct VideoStreamFacts {
  VideoCodec codec = VideoCodec::h264;
  std::optional<std::uint64_t> pictures;  ///< where the container has the number
};

/// Opens the stream and reads the headers of its first pictures. Throws StreamError for what cannot be decoded.
VideoStreamFacts probe_video(const Image& image);

}  // namespace isocenter::detail::dicom
