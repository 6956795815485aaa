#pragma once
// Lossless compression of one frame of grey values. No type of a codec's in here.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

enum class LosslessCompression {
  none,
  rle,        ///< PS3.5 annex G
  jpeg_ls,    ///< ISO/IEC 14495-1, near = 0
  jpeg_2000,  ///< ISO/IEC 15444-1, reversible 5-3 transform
};

/// Its transfer syntax UID; explicit little endian for none.
const char* transfer_syntax_uid(LosslessCompression compression);

struct GreyFrame {
  int rows = 0, columns = 0;
  int bits_allocated = 16;  ///< 8 or 16; all of them are stored
  bool is_signed = false;
};

/// The codestream of one frame; `pixels` little endian, rows × columns × bits_allocated / 8 bytes.
/// Throws Failure(internal) with the encoder's own words. Thread-safe.
std::vector<std::uint8_t> compress_frame(const GreyFrame& frame, std::span<const std::uint8_t> pixels,
                                         LosslessCompression compression);

/// JPEG-LS lossless through CharLS, JPEG 2000 lossless through OpenJPEG. Return "" or what went wrong.
std::string encode_jpegls(const GreyFrame& frame, std::span<const std::uint8_t> pixels,
                          std::vector<std::uint8_t>& codestream);
std::string encode_jpeg2000(const GreyFrame& frame, std::span<const std::uint8_t> pixels,
                            std::vector<std::uint8_t>& codestream);

}  // namespace isocenter::detail::dicom
