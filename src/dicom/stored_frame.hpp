#pragma once
// One frame's samples as they are stored, out of its file.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image.hpp"

namespace isocenter::detail::dicom {

/// Samples and how they lie. Those of BitsAllocated 1 have been unpacked, one a byte.
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

  /// What a reader holds while it works on one frame of this image, in bytes.
  static std::uint64_t working_bytes(const Image& image);

 private:
  void inflate(const Image& image, int number);

  std::vector<std::uint8_t> codestream_, raw_, unpacked_;
  std::vector<std::uint8_t> inflated_;  ///< all pixels of the deflated file at inflated_path_
  std::string inflated_path_;
};

}  // namespace isocenter::detail::dicom
