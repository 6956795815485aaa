#pragma once
// The commonest JPEG-LS scan, one lossless component, decoded faster than by the general library.
#include <cstdint>
#include <span>

namespace isocenter::detail::dicom {

/// What the codestream's header says: ITU-T T.87 annex C.
struct JpeglsScan {
  int rows = 0, columns = 0;
  int bits = 0;         ///< of a sample
  int maximum = 0;      ///< MAXVAL
  int thresholds[3]{};  ///< T1, T2, T3
  int reset = 0;        ///< RESET
};

/// Decodes a codestream of one component, NEAR = 0, into rows × columns samples of `to`: a byte each for up to 8 bits,
/// else a word in the machine's order. Only for samples of 8 to 16 bits with MAXVAL = 2^bits - 1 and
/// RESET up to 255. False when the
/// codestream is of another kind (restart markers, mapping tables, several scans) or damaged: then `to` holds anything
/// and CharLS has to decode it, or say what is wrong.
bool decode_jpegls_scan(std::span<const std::uint8_t> codestream, const JpeglsScan& scan, std::span<std::uint8_t> to);

}  // namespace isocenter::detail::dicom
