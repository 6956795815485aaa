#pragma once
// The bytes of a journal's segment: a head in the first block of 4096 bytes, then entries, each from the beginning of a
// block. Numbers are in the machine's own byte order: a journal is read by the machine that wrote it.
//
// An entry is whole when its checksum fits, which covers the segment's key: a random number of one use of the segment,
// so that neither an older use's entries nor bytes that a peer sent are taken for one. Entries are written at once by
// several threads; behind one that is torn there may be whole ones.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>

namespace isocenter::detail::dicom::journal_format {

inline constexpr std::uint64_t block = 4096;
inline constexpr std::uint64_t segment_mark = 0x314c4e524a4f5349;  // "ISOJRNL1"
inline constexpr std::uint64_t entry_mark = 0x31545245544f5349;    // "ISOTERT1"

struct SegmentHead {
  std::uint64_t mark = segment_mark, key = 0;
  std::uint64_t number = 0;  ///< of its use: later ones are greater
  std::uint64_t checksum = 0;
};

struct EntryHead {
  std::uint64_t mark = entry_mark, key = 0, checksum = 0;
  std::uint64_t name_bytes = 0, bytes = 0;  ///< the name follows the head, the bytes follow the name
};

constexpr std::uint64_t whole_blocks(std::uint64_t bytes) { return (bytes + block - 1) / block * block; }
constexpr std::uint64_t entry_bytes(std::uint64_t name_bytes, std::uint64_t bytes) {
  return whole_blocks(sizeof(EntryHead) + name_bytes + bytes);
}

/// Four lanes of h = rotate(h xor word) * odd, each step a bijection of h and of the word: one word that differs is
/// always seen. No safeguard against intent.
inline std::uint64_t checksum(std::uint64_t key, std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  std::array<std::uint64_t, 4> lane{key, key + odd, key ^ odd, ~key};
  const auto mix = [](std::uint64_t h, std::uint64_t word) { return std::rotl(h ^ word, 29) * odd; };
  std::size_t i = 0;
  for (; i + 32 <= bytes.size(); i += 32) {
    std::array<std::uint64_t, 4> words;
    std::memcpy(words.data(), bytes.data() + i, 32);
    for (std::size_t k = 0; k < 4; ++k) lane[k] = mix(lane[k], words[k]);
  }
  for (; i < bytes.size(); ++i) lane[i % 4] = mix(lane[i % 4], bytes[i]);
  std::uint64_t all = bytes.size();
  for (const std::uint64_t h : lane) all = mix(all, h);
  return all;
}

inline std::uint64_t checksum_of(const SegmentHead& head) {
  const std::array<std::uint64_t, 2> words{head.mark, head.number};
  return checksum(head.key, {reinterpret_cast<const std::uint8_t*>(words.data()), sizeof words});
}

/// Of an entry in memory, its checksum counted as 0.
inline std::uint64_t checksum_of(EntryHead head, std::span<const std::uint8_t> name_and_bytes) {
  head.checksum = 0;
  const std::uint64_t start = checksum(head.key, {reinterpret_cast<const std::uint8_t*>(&head), sizeof head});
  return checksum(start, name_and_bytes);
}

/// Calls `found` with the name and the bytes of each whole entry.
inline void for_each_entry(std::span<const std::uint8_t> segment,
                           const std::function<void(const std::string&, std::span<const std::uint8_t>)>& found) {
  SegmentHead head;
  if (segment.size() < block) return;
  std::memcpy(&head, segment.data(), sizeof head);
  if (head.mark != segment_mark || head.checksum != checksum_of(head)) return;
  for (std::uint64_t at = block; at + block <= segment.size();) {
    EntryHead entry;
    std::memcpy(&entry, segment.data() + at, sizeof entry);
    const std::uint64_t room = segment.size() - at - sizeof entry;
    if (entry.mark != entry_mark || entry.key != head.key || entry.name_bytes > room ||
        entry.bytes > room - entry.name_bytes) {
      at += block;
      continue;
    }
    const auto content = segment.subspan(at + sizeof entry, entry.name_bytes + entry.bytes);
    if (entry.checksum != checksum_of(entry, content)) {
      at += block;
      continue;
    }
    found({content.begin(), content.begin() + static_cast<std::ptrdiff_t>(entry.name_bytes)},
          content.subspan(entry.name_bytes));
    at += entry_bytes(entry.name_bytes, entry.bytes);
  }
}

}  // namespace isocenter::detail::dicom::journal_format
