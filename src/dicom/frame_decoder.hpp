#pragma once
// One frame's pixels out of its file, as real values.
#include <span>

#include "stored_frame.hpp"

namespace isocenter::detail::dicom {

/// Keeps its working memory between frames: one for each thread. Not thread-safe itself.
class FrameDecoder {
 public:
  /// Fills `to`, rows × columns values, x fastest, with slope · stored + intercept, or what the image's Modality LUT
  /// (PS3.3 C.11.1.1.1) has for the stored value.
  /// Throws Failure (bad_data, io_error) with the file's name when the pixels cannot be had.
  void decode(const Image& image, const Frame& frame, const Rescale& rescale, std::span<float> to);

  /// What a decoder holds while it works on one frame of this image, in bytes.
  static std::uint64_t working_bytes(const Image& image) { return StoredFrameReader::working_bytes(image); }

 private:
  StoredFrameReader stored_;
};

}  // namespace isocenter::detail::dicom
