#pragma once
// Finding the pixels in a file: the native run, or the fragments of each encapsulated frame. PS3.5 annex A.4.
#include <string>
#include <vector>

#include "image.hpp"
#include "input_file.hpp"

namespace isocenter::detail::dicom {

struct PixelElement {
  std::uint64_t offset = 0;  ///< of its tag in the file
  bool explicit_vr = true;
  bool big_endian = false;
  bool encapsulated = false;  ///< by the transfer syntax
  bool one_stream = false;    ///< a video: the fragments are one stream for all frames
  bool one_byte_samples = false;
  std::uint64_t frames = 1;
  std::uint64_t native_bytes = 0;               ///< what Rows, Columns, ... ask for
  std::vector<std::uint64_t> extended_offsets;  ///< ExtendedOffsetTable (7FE0,0001); may be empty
};

struct LocatedPixels {
  PixelData pixels;
  bool truncated = false;  ///< the file ends before the pixels do
  std::string problem;     ///< "" when the pixels are complete
};

LocatedPixels locate_pixels(const InputFile& file, const PixelElement& element);

}  // namespace isocenter::detail::dicom
