#pragma once
// A DICOM file written in two parts: a DCMTK data set without pixels, then the pixels straight from where they lie.
// Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

/// Which element holds native pixels: PixelData (7FE0,0010) as OW or OB (8 bits and less), FloatPixelData (7FE0,0008),
/// or none in an object without pixels.
enum class PixelElement { words, bytes, floats, none };

/// Pixels of one of two forms.
struct PixelElementToWrite {
  PixelElement element = PixelElement::words;
  /// Native: runs of bytes in order; their total may be odd.
  std::uint64_t native_bytes = 0;
  /// Called with a sink for bytes; gives exactly native_bytes of them.
  std::function<void(const std::function<void(std::span<const std::uint8_t>)>&)> produce;
  /// Encapsulated: one codestream a frame (PS3.5 annex A.4, one fragment each, with a basic offset table).
  const std::vector<std::vector<std::uint8_t>>* codestreams = nullptr;
};

/// Writes a PS3.10 file: file meta information for this implementation, the data set in explicit little endian
/// (implicit where that is the transfer syntax), then the pixels. Throws Failure(io_error) and leaves nothing behind
/// when that does not work out.
void write_object(const std::string& path, DcmDataset& dataset, const std::string& transfer_syntax,
                  const PixelElementToWrite& pixels);

}  // namespace isocenter::detail::dicom
