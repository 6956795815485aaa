#pragma once
// Bits of a NAL unit's payload: ISO/IEC 14496-10, 7.2 and 9.1 (the same in ISO/IEC 23008-2).
#include <cstddef>
#include <cstdint>
#include <span>

#include "stream_bytes.hpp"

namespace isocenter::detail::dicom {

/// Skips the emulation prevention bytes (00 00 03). Reading beyond the end throws StreamError.
class BitReader {
 public:
  explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  unsigned bit() {
    if (left_ == 0) next_byte();
    return static_cast<unsigned>(current_ >> --left_) & 1U;
  }
  bool flag() { return bit() != 0; }
  /// At most 32 bits.
  std::uint32_t bits(unsigned count) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i) value = value << 1U | bit();
    return value;
  }
  void skip(unsigned count) {
    for (unsigned i = 0; i < count; ++i) bit();
  }
  /// Exp-Golomb code, 9.1.
  std::uint32_t unsigned_code() {
    unsigned zeros = 0;
    while (bit() == 0)
      if (++zeros == 32) throw StreamError("a number of the stream's headers has more than 32 bits");
    return static_cast<std::uint32_t>((std::uint64_t{1} << zeros) - 1 + bits(zeros));
  }
  /// The same, which has to be within [0, highest].
  std::uint32_t unsigned_code(std::uint32_t highest, const char* name) {
    const std::uint32_t value = unsigned_code();
    if (value > highest)
      throw StreamError(std::string(name) + " = " + std::to_string(value) + " of the stream is beyond " +
                        std::to_string(highest));
    return value;
  }
  /// Signed, 9.1.1.
  std::int64_t signed_code() {
    const std::int64_t code = unsigned_code();
    return code % 2 != 0 ? (code + 1) / 2 : -code / 2;
  }

 private:
  void next_byte() {
    if (at_ < bytes_.size() && zeros_ >= 2 && bytes_[at_] == 3) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ >= bytes_.size()) throw StreamError("a header of the stream ends inside its values");
    current_ = bytes_[at_++];
    zeros_ = current_ == 0 ? zeros_ + 1 : 0;
    left_ = 8;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  unsigned zeros_ = 0, left_ = 0;
  std::uint8_t current_ = 0;
};

}  // namespace isocenter::detail::dicom
