#pragma once
// What a peer's command sets may be, judged before DCMTK parses them: it calls itself for each level of nested
// sequences, and reserves what an element claims to have.
#include <cstdint>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

/// Longest command set that is taken; real ones stay below 1 KiB.
inline constexpr std::uint64_t longest_command = std::uint64_t{64} << 10U;

/// Reads along with the bytes of one command set: implicit little endian, of group 0000 alone, and without sequences
/// (PS3.7 section 6.3.1 and annex E).
class CommandWalk {
 public:
  /// Why these bytes must not be parsed; "" while all is well.
  std::string take(std::span<const std::uint8_t> bytes);

 private:
  std::string element();

  std::uint8_t head_[8] = {};
  std::size_t head_bytes_ = 0;
  std::uint64_t value_left_ = 0, all_ = 0;
};

/// Reads along with a stream of PDUs (PS3.8 section 9.3). Data sets and PDUs without data pass as they are.
class CommandGate {
 public:
  /// The next bytes of the stream. False, now and from now on, once they hold a command that must not be parsed.
  bool pass(std::span<const std::uint8_t> bytes);
  /// Why; "" while all is well.
  const std::string& refusal() const { return refusal_; }

 private:
  enum class Part { pdu_head, other_pdu, fragment_head, command, data };
  void begin(Part part, std::uint64_t bytes);
  void begin_fragment();
  void next();

  Part part_ = Part::pdu_head;
  std::uint64_t left_ = 6;  ///< of this part
  std::uint8_t head_[6] = {};
  std::size_t head_bytes_ = 0;
  std::uint64_t pdu_left_ = 0;  ///< behind this part
  bool last_ = false;           ///< fragment of its command
  CommandWalk walk_;
  std::string refusal_;
};

}  // namespace isocenter::detail::dicom
