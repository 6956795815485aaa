#pragma once
// One frame's samples as they are stored, out of its file.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"
#include "input_file.hpp"
#include "video/video_reader.hpp"

namespace isocenter::detail::dicom {

/// Samples and how they lie. Those of BitsAllocated 1 have been unpacked, one a byte; those of a video are RGB of 8
/// bits.
struct StoredFrame {
  std::span<const std::uint8_t> bytes;  ///< valid until the reader reads again
  PixelFormat format;
  bool big_endian = false;
};

/// Keeps its working memory between frames: one for each thread. Not thread-safe itself.
class StoredFrameReader {
 public:
  /// Frame `number` (from 0). Throws Failure (bad_data, io_error) with the file's name when the pixels cannot be had.
  StoredFrame read(const Image& image, int number);

  /// Throws Failure (bad_data) when a video goes on behind its last frame, which has to be the one read last.
  void require_end(const Image& image);

  /// What a reader holds while it works on one frame of this image, in bytes. Of JPEG 2000 it reads the begin of the
  /// first codestream: by that all of its frames are bounded, and refused where they ask for more.
  static std::uint64_t working_bytes(const Image& image);

 private:
  void inflate(const Image& image, int number);
  void read_video(const Image& image, int number, PixelFormat& format);
  std::uint64_t most_codec_bytes(const Image& image, const InputFile& file);

  std::vector<std::uint8_t> codestream_, raw_, unpacked_;
  std::vector<std::uint8_t> inflated_;  ///< all pixels of the deflated file at inflated_path_
  std::string inflated_path_;
  std::unique_ptr<VideoReader> video_;  ///< where it stands in the video at video_path_
  std::string video_path_;
  std::uint64_t most_codec_bytes_ = 0;  ///< of the file at bounded_path_
  std::string bounded_path_;
};

}  // namespace isocenter::detail::dicom
