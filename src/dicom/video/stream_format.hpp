#pragma once
// What a video's headers say of its pictures.
#include <algorithm>
#include <cstddef>

namespace isocenter::detail::dicom {

/// How luma and chroma stand for red, green and blue: the codes of ISO/IEC 23091-2 that H.264 and HEVC share.
struct VideoColour {
  int matrix_coefficients = 2;  ///< 2: not said
  bool full_range = false;
};

struct VideoFormat {
  int width = 0, height = 0;  ///< after cropping
  VideoColour colour;
};

/// No coded picture takes more than about twice its samples: PCM macroblocks (ISO/IEC 14496-10, 7.3.5) are the largest.
inline std::size_t largest_coded_picture(int width, int height) {
  const std::size_t pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  return std::min<std::size_t>(std::size_t{1} << 30U, 65536 + 6 * pixels);
}

}  // namespace isocenter::detail::dicom
