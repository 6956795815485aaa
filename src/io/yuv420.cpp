#include "yuv420.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail::io {
namespace {

/// A coefficient of the matrix in units of 2^-16.
constexpr int fixed(double v) { return static_cast<int>(v < 0 ? v * 65536 - 0.5 : v * 65536 + 0.5); }

constexpr double kr = 0.2126, kg = 0.7152, kb = 0.0722;
constexpr double luma = 219.0 / 255, blue = 224.0 / 255 / (2 * (1 - kb)), red = 224.0 / 255 / (2 * (1 - kr));

constexpr int y_r = fixed(luma * kr), y_g = fixed(luma * kg), y_b = fixed(luma * kb);
// The chroma of grey is exactly 128: the green coefficient is what the other two leave.
constexpr int cb_r = fixed(-blue * kr), cb_b = fixed(blue * (1 - kb)), cb_g = -cb_r - cb_b;
constexpr int cr_r = fixed(red * (1 - kr)), cr_b = fixed(-red * kb), cr_g = -cr_r - cr_b;

std::uint8_t luma_of(const std::uint8_t* p) {
  return static_cast<std::uint8_t>((y_r * p[0] + y_g * p[1] + y_b * p[2] + (16 << 16) + (1 << 15)) >> 16);
}

/// Cb or Cr of the sum of four pixels.
std::uint8_t chroma_of(int r, int g, int b, int from_r, int from_g, int from_b) {
  return static_cast<std::uint8_t>((from_r * r + from_g * g + from_b * b + (128 << 18) + (1 << 17)) >> 18);
}

void luma_row(const std::uint8_t* rgb, int width, std::uint8_t* y, int padded) {
  for (int x = 0; x < width; ++x) y[x] = luma_of(rgb + 3 * x);
  if (padded > width) y[width] = y[width - 1];
}

void chroma_row(const std::uint8_t* upper, const std::uint8_t* lower, int width, std::uint8_t* cb, std::uint8_t* cr) {
  for (int x = 0; x < width; x += 2) {
    const int left = 3 * x, right = 3 * std::min(x + 1, width - 1);
    const int r = upper[left] + upper[right] + lower[left] + lower[right];
    const int g = upper[left + 1] + upper[right + 1] + lower[left + 1] + lower[right + 1];
    const int b = upper[left + 2] + upper[right + 2] + lower[left + 2] + lower[right + 2];
    cb[x / 2] = chroma_of(r, g, b, cb_r, cb_g, cb_b);
    cr[x / 2] = chroma_of(r, g, b, cr_r, cr_g, cr_b);
  }
}

}  // namespace

void rgb_to_yuv420_bt709(const std::uint8_t* rgb, std::int64_t row_bytes, int width, int height, const Yuv420& out) {
  const auto row = [&](int y) { return rgb + row_bytes * std::min(y, height - 1); };
  for (int y = 0; y < out.height; y += 2) {
    luma_row(row(y), width, out.y + static_cast<std::ptrdiff_t>(y) * out.y_stride, out.width);
    luma_row(row(y + 1), width, out.y + static_cast<std::ptrdiff_t>(y + 1) * out.y_stride, out.width);
    chroma_row(row(y), row(y + 1), width, out.cb + static_cast<std::ptrdiff_t>(y / 2) * out.cb_stride,
               out.cr + static_cast<std::ptrdiff_t>(y / 2) * out.cr_stride);
  }
}

}  // namespace isocenter::detail::io
