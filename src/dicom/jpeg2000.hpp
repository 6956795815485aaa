#pragma once
// JPEG 2000 and HTJ2K codestreams: what Debian's DCMTK lacks. No DCMTK and no OpenJPEG type in here.
#include <cstdint>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// What the DICOM header says that the codestream holds.
struct Jpeg2000Frame {
  int rows = 0;
  int columns = 0;
  int samples_per_pixel = 1;
  int bits_allocated = 0;  ///< 8, 16 or 32
};

/// Decodes one frame, samples interleaved, in the machine's byte order, negative values as two's complement.
/// `to` has rows × columns × samples × bits_allocated / 8 bytes. By decode_jpeg2000_part1, by OpenJPEG what that
/// leaves. Nothing is decoded before the codestream's own size was found equal to the header's, and nothing allocated
/// where jpeg2000_demand is beyond `most_bytes`. Returns "" or what is wrong with the codestream.
std::string decode_jpeg2000(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                            std::uint64_t most_bytes, std::span<std::uint8_t> to);

/// The same by OpenJPEG alone.
std::string decode_with_openjpeg(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                                 std::span<std::uint8_t> to);

/// Makes DCMTK decode JPEG 2000 (Lossless Only) and JPEG 2000 with it. Once for the process; see use_dcmtk.
void register_jpeg2000_with_dcmtk();
void deregister_jpeg2000();

}  // namespace isocenter::detail::dicom
