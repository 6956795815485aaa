#include "video_reader.hpp"

#include "h264_headers.hpp"
#include "hevc_headers.hpp"

namespace isocenter::detail::dicom {
namespace {

void require_codec(const NalSource& source, VideoCodec codec) {
  if (source.codec().value_or(codec) != codec)
    throw StreamError("the container holds " + name_of(*source.codec()) + ", the transfer syntax says " +
                      name_of(codec));
}

}  // namespace

VideoReader::VideoReader(const Image& image)
    : bytes_(image.path, image.pixels.fragments),
      codec_(*video_codec_of(image.transfer_syntax)),
      width_(image.format.columns),
      height_(image.format.rows),
      largest_nal_(largest_coded_picture(image.format.columns, image.format.rows)) {
  begin();
}

void VideoReader::begin() {
  source_ = open_nal_source(bytes_, largest_nal_);
  require_codec(*source_, codec_);
  decoder_ = make_decoder(codec_, width_, height_);
  if (decoder_ == nullptr) throw StreamError("this build does not decode " + name_of(codec_));
  next_ = 0;
  finished_ = false;
}

bool VideoReader::next(VideoPicture& picture) {
  while (!decoder_->take(picture)) {
    if (finished_) return false;
    finished_ = !source_->next(nal_);
    finished_ ? decoder_->finish() : decoder_->push(nal_);
  }
  ++next_;
  return true;
}

VideoPicture VideoReader::picture(int number) {
  if (number < next_) begin();
  VideoPicture picture;
  while (next_ <= number)
    if (!next(picture)) throw StreamError("the stream ends after " + std::to_string(next_) + " pictures");
  return picture;
}

void VideoReader::require_end(int pictures) {
  VideoPicture picture;
  if (next_ == pictures && next(picture))
    throw StreamError("the stream holds more pictures than NumberOfFrames (0028,0008) = " + std::to_string(pictures));
}

std::uint64_t VideoReader::working_bytes(const PixelFormat& format) {
  const auto pixels = static_cast<std::uint64_t>(format.rows) * static_cast<std::uint64_t>(format.columns);
  const std::uint64_t bytes = format.bits_allocated > 8 ? 2 : 1;
  return 17 * pixels * 3 / 2 * bytes + largest_coded_picture(format.columns, format.rows);
}

VideoStreamFacts probe_video(const Image& image) {
  constexpr int probed_pictures = 32;
  StreamBytes bytes(image.path, image.pixels.fragments);
  const auto source = open_nal_source(bytes, largest_coded_picture(image.format.columns, image.format.rows));
  VideoStreamFacts facts{*video_codec_of(image.transfer_syntax), source->pictures()};
  require_codec(*source, facts.codec);
  H264Headers h264(image.format.columns, image.format.rows);
  HevcHeaders hevc(image.format.columns, image.format.rows);
  std::vector<std::uint8_t> nal;
  for (int pictures = 0; pictures < probed_pictures && source->next(nal);) {
    const bool is_h264 = facts.codec == VideoCodec::h264;
    is_h264 ? h264.read(nal) : hevc.read(nal);
    if (is_h264 ? h264.began_picture() : hevc.began_picture()) ++pictures;
  }
  return facts;
}

}  // namespace isocenter::detail::dicom
