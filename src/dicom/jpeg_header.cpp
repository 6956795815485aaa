#include "jpeg_header.hpp"

namespace isocenter::detail::dicom {

std::optional<JpegHeader> read_jpeg_header(std::span<const std::uint8_t> bytes) {
  std::size_t at = 2;  // behind the start of the image, FFD8
  while (at + 4 <= bytes.size()) {
    if (bytes[at] != 0xFF) return std::nullopt;
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const std::size_t length = static_cast<std::size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    const bool is_frame =
        (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) || marker == 0xF7;
    if (is_frame) {
      if (length < 8 || at + 10 > bytes.size()) return std::nullopt;
      return JpegHeader{bytes[at + 4], bytes[at + 5] << 8 | bytes[at + 6], bytes[at + 7] << 8 | bytes[at + 8],
                        bytes[at + 9]};
    }
    if (marker == 0xDA || length < 2) return std::nullopt;  // the scan begins without a frame header
    at += 2 + length;
  }
  return std::nullopt;
}

}  // namespace isocenter::detail::dicom
