#pragma once
// The frame header of a JPEG or JPEG-LS codestream: checked against the DICOM header before a decoder sees it.
#include <cstdint>
#include <optional>
#include <span>

namespace isocenter::detail::dicom {

struct JpegHeader {
  int precision = 0;  ///< bits a sample
  int rows = 0;
  int columns = 0;
  int components = 0;
};

/// The first SOFn marker segment (ITU-T T.81 B.2.2; JPEG-LS: T.87 C.2.2). Nothing when there is none.
std::optional<JpegHeader> read_jpeg_header(std::span<const std::uint8_t> codestream);

}  // namespace isocenter::detail::dicom
