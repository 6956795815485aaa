#include "command_gate.hpp"

#include <algorithm>
#include <cstdio>

namespace isocenter::detail::dicom {
namespace {

std::uint32_t little(const std::uint8_t* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8U | bytes[i];
  return value;
}

std::uint32_t big(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24U | static_cast<std::uint32_t>(bytes[1]) << 16U |
         static_cast<std::uint32_t>(bytes[2]) << 8U | bytes[3];
}

}  // namespace

std::string CommandWalk::element() {
  const std::uint32_t group = little(head_, 2), length = little(head_ + 4, 4);
  char tag[16];
  std::snprintf(tag, sizeof tag, "(%04x,%04x)", group, little(head_ + 2, 2));
  if (group != 0) return std::string("a command has ") + tag + ", and only elements of group 0000 may be there";
  if (length == 0xffffffff) return std::string("a command has ") + tag + " of undefined length";
  if (all_ + length > longest_command)
    return std::string("a command has ") + tag + " of " + std::to_string(length) +
           " bytes, which makes it longer than " + std::to_string(longest_command);
  value_left_ = length;
  head_bytes_ = 0;
  return "";
}

std::string CommandWalk::take(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    if (value_left_ > 0) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(value_left_, bytes.size()));
      value_left_ -= n;
      all_ += n;
      bytes = bytes.subspan(n);
      continue;
    }
    if (all_ >= longest_command) return "a command has more than " + std::to_string(longest_command) + " bytes";
    const std::size_t n = std::min(sizeof head_ - head_bytes_, bytes.size());
    std::copy_n(bytes.begin(), n, head_ + head_bytes_);
    head_bytes_ += n;
    all_ += n;
    bytes = bytes.subspan(n);
    if (head_bytes_ < sizeof head_) continue;
    if (std::string why = element(); !why.empty()) return why;
  }
  return "";
}

bool CommandGate::pass(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty() && refusal_.empty()) {
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
    bytes = bytes.subspan(piece.size());
    left_ -= piece.size();
    if (part_ == Part::command) {
      refusal_ = walk_.take(piece);
    } else if (part_ == Part::pdu_head || part_ == Part::fragment_head) {
      std::copy(piece.begin(), piece.end(), head_ + head_bytes_);
      head_bytes_ += piece.size();
    }
    if (left_ == 0) next();
  }
  return refusal_.empty();
}

void CommandGate::begin(Part part, std::uint64_t bytes) {
  part_ = part;
  left_ = bytes;
  head_bytes_ = 0;
  if (bytes == 0) next();
}

void CommandGate::begin_fragment() {
  if (pdu_left_ == 0) return begin(Part::pdu_head, 6);
  if (pdu_left_ < 6) {
    refusal_ = "a P-DATA-TF PDU ends within the head of a fragment";
    return;
  }
  pdu_left_ -= 6;
  begin(Part::fragment_head, 6);
}

void CommandGate::next() {
  switch (part_) {
    case Part::pdu_head:
      if (head_[0] != 4) return begin(Part::other_pdu, big(head_ + 2));
      pdu_left_ = big(head_ + 2);
      return begin_fragment();
    case Part::fragment_head: {
      const std::uint64_t length = big(head_);  // of context, control and the rest (PS3.8 section 9.3.5.1)
      if (length < 2 || length - 2 > pdu_left_) {
        refusal_ = "a fragment of " + std::to_string(length) + " bytes does not fit into its P-DATA-TF PDU";
        return;
      }
      pdu_left_ -= length - 2;
      last_ = (head_[5] & 2U) != 0;
      return begin((head_[5] & 1U) != 0 ? Part::command : Part::data, length - 2);
    }
    case Part::command:
      if (last_) walk_ = {};
      return begin_fragment();
    case Part::data:
      return begin_fragment();
    case Part::other_pdu:
      return begin(Part::pdu_head, 6);
  }
}

}  // namespace isocenter::detail::dicom
