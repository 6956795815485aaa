#pragma once
// PNG pictures, in memory and as files.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace isocenter::detail::io {

enum class PngLayout { grey8, grey16, rgb8 };

constexpr int bytes_per_pixel(PngLayout layout) {
  return layout == PngLayout::grey8 ? 1 : layout == PngLayout::grey16 ? 2 : 3;
}

struct PngInfo {
  PngLayout layout = PngLayout::rgb8;
  int width = 0;
  int height = 0;
  double pixel_width_mm = 0;  ///< chunk pHYs; 0: not stated
  double pixel_height_mm = 0;
  bool is_srgb = false;  ///< chunk sRGB: the values are colours to be shown, not measurements

  std::int64_t row_bytes() const { return static_cast<std::int64_t>(width) * bytes_per_pixel(layout); }
};

/// Encodes rows of pixels (row 0 at the top; 16-bit values in the machine's byte order) that are row_bytes apart.
/// pHYs holds whole pixels per metre: a size of 0.7 mm is stored as 1429 per metre, 0.04 % off, finer ones better.
/// PNG (ISO/IEC 15948, third edition), written by libpng. The same pixels give the same bytes.
std::vector<std::byte> encode_png(const PngInfo& info, const void* pixels, std::int64_t row_bytes);

/// The same into a file, which appears whole or not at all.
void write_png(const std::filesystem::path& path, const PngInfo& info, const void* pixels, std::int64_t row_bytes);

/// A PNG of grey (1, 2, 4, 8 or 16 bits), palette or RGB pixels (8 bits). Smaller greys are scaled to 8 bits, a palette
/// becomes RGB. Errors: not_found, bad_data when it is no PNG, truncated or damaged, unsupported when it has an alpha
/// channel or 16-bit colours.
PngInfo read_png_info(const std::filesystem::path& path);

/// Reads the pixels, dense, top row first, 16-bit values in the machine's byte order.
void read_png(const std::filesystem::path& path, const PngInfo& expected, std::span<std::byte> pixels);

}  // namespace isocenter::detail::io
