#pragma once
// Colour pictures into a video file.
#include <cstdint>
#include <filesystem>
#include <memory>

namespace isocenter::detail::io {

/// How much work the encoder does for fewer bytes. Measured figures: docs/io/README.md.
enum class VideoEffort { fast, small };

struct VideoFormat {
  int width = 0;  ///< 1 to 16384; odd extents are padded by one repeated column or row
  int height = 0;
  double period_s = 0;  ///< from one frame to the next, 1/240 to 100 s
  int quality = 75;     ///< 1 to 100
  VideoEffort effort = VideoEffort::fast;
  int threads = 1;
};

/// Writes VP9 (profile 0: 8 bits, 4:2:0) in WebM with constant quality: quality q is libvpx's cq-level
/// round(63 (100 - q) / 100). A key frame at least every half second keeps seeking quick. The same frames give the same
/// bytes, whatever the number of threads, with one version of libvpx. Without finish() no file is left.
///
/// Errors: bad_data when a size or the period is out of range, io_error from the file, internal from the encoder.
class VideoFile {
 public:
  VideoFile(const std::filesystem::path& path, const VideoFormat& format);
  ~VideoFile();
  /// One picture of R'G'B' bytes (sRGB), rows row_bytes apart, row 0 at the top.
  void add(const std::uint8_t* rgb, std::int64_t row_bytes);
  std::int64_t frames() const;
  void finish();

 private:
  class Encoder;
  std::unique_ptr<Encoder> encoder_;
};

/// Host memory that the encoder takes, estimated from measurements from above.
std::uint64_t video_encoder_bytes(const VideoFormat& format);

/// Throws as VideoFile does when the format cannot be encoded.
void require_encodable(const VideoFormat& format);

}  // namespace isocenter::detail::io
