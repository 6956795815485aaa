#pragma once
// RGB to what video codecs take.
#include <cstdint>

namespace isocenter::detail::io {

/// Three planes of 8 bits: luma of width x height, chroma of half as many in both directions (extents are even).
struct Yuv420 {
  std::uint8_t* y;
  std::uint8_t* cb;
  std::uint8_t* cr;
  int y_stride;
  int cb_stride;
  int cr_stride;
  int width;
  int height;
};

/// Converts a picture of R'G'B' bytes (row_bytes apart, row 0 at the top) to Y'CbCr 4:2:0 with the BT.709 matrix and
/// limited range: Y' = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B) / 255, Cb and Cr = 128 + 224 (B - Y) / 1.8556 / 255
/// and 128 + 224 (R - Y) / 1.5748 / 255 (ITU-R BT.709-6, items 3.2 to 3.5). Chroma is that of the mean of 2 x 2 pixels.
/// Rounded to nearest in 16-bit fixed point, within 0.51 of the exact value. Columns and rows of `out` beyond the
/// picture repeat its last one: an odd size is padded to even by its edge.
void rgb_to_yuv420_bt709(const std::uint8_t* rgb, std::int64_t row_bytes, int width, int height, const Yuv420& out);

}  // namespace isocenter::detail::io
