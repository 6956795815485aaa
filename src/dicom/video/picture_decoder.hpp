#pragma once
// Pictures out of NAL units: OpenH264 for H.264, libde265 for HEVC, where the build has them.
#include <cstddef>
#include <memory>
#include <span>

#include "nal_source.hpp"
#include "stream_format.hpp"

namespace isocenter::detail::dicom {

/// 4:2:0: chroma has half the width and height, rounded up.
struct VideoPicture {
  VideoFormat format;
  int bits = 8;  ///< of a sample; more than 8 lie in two bytes in the machine's order
  const std::uint8_t* plane[3] = {};
  std::ptrdiff_t stride[3] = {};  ///< bytes between rows
};

class PictureDecoder {
 public:
  virtual ~PictureDecoder() = default;
  /// Takes the next unit in decoding order. Throws StreamError.
  virtual void push(std::span<const std::uint8_t> nal) = 0;
  /// No more units come.
  virtual void finish() = 0;
  /// The next picture to be shown, when there is one: valid until anything is called. To be asked until it says false
  /// after each push and after finish.
  virtual bool take(VideoPicture& picture) = 0;
};

/// For pictures of width x height; null when the build has none (has_decoder).
std::unique_ptr<PictureDecoder> make_decoder(VideoCodec codec, int width, int height);

/// Of the two, each defined where its library was found.
std::unique_ptr<PictureDecoder> make_h264_decoder(int width, int height);
std::unique_ptr<PictureDecoder> make_hevc_decoder(int width, int height);

}  // namespace isocenter::detail::dicom
