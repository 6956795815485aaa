#include "video_rgb.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace isocenter::detail::dicom {
namespace {

/// Weights of red and blue in luma, by matrix_coefficients (ISO/IEC 23091-2, table 4).
struct LumaWeights {
  double red, blue;
};

LumaWeights luma_weights(int matrix) {
  switch (matrix) {
    case 1:
      return {0.2126, 0.0722};  // BT.709
    case 4:
      return {0.30, 0.11};
    case 2:
    case 5:
    case 6:
      return {0.299, 0.114};  // BT.601
    case 7:
      return {0.212, 0.087};
    case 9:
      return {0.2627, 0.0593};  // BT.2020
    default:
      throw StreamError("the stream's colours have matrix_coefficients = " + std::to_string(matrix) +
                        ", where 1, 2, 4, 5, 6, 7 and 9 are converted");
  }
}

/// Factors of fixed point: luma with 16 binary places, chroma, which comes eightfold, with 13.
struct Matrix {
  std::int32_t luma, red_from_cr, green_from_cb, green_from_cr, blue_from_cb;
  std::int32_t black, neutral;  ///< of luma; of chroma, eightfold
};

Matrix matrix_of(const VideoPicture& picture) {
  const LumaWeights w = luma_weights(picture.format.colour.matrix_coefficients);
  const bool full = picture.format.colour.full_range;
  const double unit = std::ldexp(1.0, picture.bits - 8);
  const double highest = std::ldexp(1.0, picture.bits) - 1;
  const double luma = 255 / (full ? highest : 219 * unit), chroma = 255 / (full ? highest : 224 * unit);
  const double green = 1 - w.red - w.blue;
  const auto fixed = [](double factor, int places) {
    return static_cast<std::int32_t>(std::lround(std::ldexp(factor, places)));
  };
  Matrix m{};
  m.luma = fixed(luma, 16);
  m.red_from_cr = fixed(2 * (1 - w.red) * chroma, 13);
  m.blue_from_cb = fixed(2 * (1 - w.blue) * chroma, 13);
  m.green_from_cb = fixed(-2 * (1 - w.blue) * w.blue / green * chroma, 13);
  m.green_from_cr = fixed(-2 * (1 - w.red) * w.red / green * chroma, 13);
  m.black = full ? 0 : 16 << (picture.bits - 8);
  m.neutral = 8 << (picture.bits - 1);
  return m;
}

std::int32_t sample(const VideoPicture& picture, int plane, int x, int y) {
  const std::uint8_t* const row = picture.plane[plane] + y * picture.stride[plane];
  return picture.bits > 8 ? reinterpret_cast<const std::uint16_t*>(row)[x] : row[x];
}

/// Chroma of one row of the picture, eightfold.
void chroma_row(const VideoPicture& picture, int plane, int y, std::vector<std::int32_t>& near,
                std::vector<std::int32_t>& to) {
  const int width = (picture.format.width + 1) / 2, height = (picture.format.height + 1) / 2;
  const int own = y / 2, other = std::clamp(y % 2 == 0 ? own - 1 : own + 1, 0, height - 1);
  near.resize(static_cast<std::size_t>(width) + 1);
  for (int x = 0; x < width; ++x)
    near[static_cast<std::size_t>(x)] = 3 * sample(picture, plane, x, own) + sample(picture, plane, x, other);
  near[static_cast<std::size_t>(width)] = near[static_cast<std::size_t>(width) - 1];
  to.resize(static_cast<std::size_t>(picture.format.width));
  for (std::size_t x = 0; x < to.size(); ++x) to[x] = near[x / 2] + near[(x + 1) / 2];
}

std::uint8_t to_byte(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp((fixed + 32768) >> 16, 0, 255));
}

}  // namespace

void to_rgb(const VideoPicture& picture, std::span<std::uint8_t> to) {
  const Matrix m = matrix_of(picture);
  std::vector<std::int32_t> near, cb_row, cr_row;
  std::uint8_t* rgb = to.data();
  for (int y = 0; y < picture.format.height; ++y) {
    chroma_row(picture, 1, y, near, cb_row);
    chroma_row(picture, 2, y, near, cr_row);
    for (int x = 0; x < picture.format.width; ++x, rgb += 3) {
      const std::int32_t luma = m.luma * (sample(picture, 0, x, y) - m.black);
      const std::int32_t cb = cb_row[static_cast<std::size_t>(x)] - m.neutral;
      const std::int32_t cr = cr_row[static_cast<std::size_t>(x)] - m.neutral;
      rgb[0] = to_byte(luma + m.red_from_cr * cr);
      rgb[1] = to_byte(luma + m.green_from_cb * cb + m.green_from_cr * cr);
      rgb[2] = to_byte(luma + m.blue_from_cb * cb);
    }
  }
}

}  // namespace isocenter::detail::dicom
