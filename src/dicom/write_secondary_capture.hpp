#pragma once
// Colour pictures over time as one Multi-frame True Color Secondary Capture object: PS3.3 A.8.5.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "output_description.hpp"
#include "source_metadata.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

enum class FrameCompression {
  none,
  rle,           ///< lossless: PS3.5 annex G
  jpeg_baseline  ///< lossy: ITU-T T.81 process 1
};

struct CaptureFormat {
  int width = 0, height = 0;
  double frame_time_ms = 40;  ///< between two frames
  FrameCompression compression = FrameCompression::jpeg_baseline;
  int jpeg_quality = 90;  ///< 1 to 100
};

/// Takes frames, compressing them as they come, and writes one file of all of them.
class SecondaryCapture {
 public:
  /// Throws Failure(unsupported) for a size beyond 65535 or a frame time that is not positive.
  explicit SecondaryCapture(const CaptureFormat& format);

  /// `pixels`: count · height · width · 3, sRGB, row 0 at the top. `progress(done, total)` returns false to stop.
  void add(std::span<const std::uint8_t> pixels, const Workers& workers, const LoadProgress& progress = {});
  std::int64_t frame_count() const { return static_cast<std::int64_t>(frames_.size()); }

  void write(const std::string& path, const SourceMetadata& source, const OutputDescription& description) const;

 private:
  std::size_t frame_bytes() const;
  CaptureFormat format_;
  std::vector<std::vector<std::uint8_t>> frames_;  ///< codestreams, or the pixels themselves
};

}  // namespace isocenter::detail::dicom
