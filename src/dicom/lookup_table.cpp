#include "lookup_table.hpp"

#include <dcmtk/dcmdata/dcelem.h>

#include <algorithm>

#include "dataset_values.hpp"

namespace isocenter::detail::dicom {
namespace {

/// The 16-bit words of an element, whatever representation they stand in.
std::vector<std::uint16_t> words_of(DcmItem& item, const Attribute& a) {
  DcmElement* element = nullptr;
  if (item.findAndGetElement(key(a), element).bad() || element == nullptr) return {};
  const std::size_t bytes = element->getLength();
  Uint16* words = nullptr;
  if (element->getUint16Array(words).good() && words != nullptr) return {words, words + bytes / 2};
  Sint16* numbers = nullptr;
  if (element->getSint16Array(numbers).good() && numbers != nullptr) {
    std::vector<std::uint16_t> values(bytes / 2);
    std::transform(numbers, numbers + bytes / 2, values.begin(),
                   [](Sint16 v) { return static_cast<std::uint16_t>(v); });
    return values;
  }
  Uint8* raw = nullptr;
  std::vector<std::uint16_t> values;
  if (element->getUint8Array(raw).good() && raw != nullptr)
    for (std::size_t i = 0; i + 1 < bytes; i += 2)
      values.push_back(static_cast<std::uint16_t>(raw[i] | raw[i + 1] << 8));
  return values;
}

struct Descriptor {
  std::size_t entries = 0;
  int first = 0;
  int bits = 0;
};

std::optional<Descriptor> read_descriptor(DcmItem& item, const Attribute& a, bool is_signed, std::string& problem) {
  const auto words = words_of(item, a);
  if (words.empty()) return std::nullopt;
  Descriptor d;
  if (words.size() == 3) {
    d.entries = words[0] == 0 ? 65536 : words[0];
    d.first = is_signed ? static_cast<std::int16_t>(words[1]) : words[1];
    d.bits = words[2];
    if (d.bits >= 8 && d.bits <= 16) return d;
  }
  problem = text(a) + " is not number of entries, first value and 8 to 16 bits";
  return std::nullopt;
}

/// One byte an entry, two in a word (the first in the low byte), or one word an entry.
std::vector<std::uint16_t> entries_of(const std::vector<std::uint16_t>& words, std::size_t count) {
  if (words.size() >= count) return {words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count)};
  if (words.size() < (count + 1) / 2) return {};
  std::vector<std::uint16_t> entries;
  for (std::size_t i = 0; i < count; ++i)
    entries.push_back(static_cast<std::uint16_t>(i % 2 == 0 ? words[i / 2] & 0xFFU : words[i / 2] >> 8U));
  return entries;
}

/// PS3.3 C.7.9.2.2: segments of values as they are, straight lines, and copies of segments that stand before.
class SegmentExpander {
 public:
  SegmentExpander(const std::vector<std::uint16_t>& words, std::size_t count) : words_(words), count_(count) {}

  /// Empty when the segments are no table of `count` entries.
  std::vector<std::uint16_t> expand() {
    for (std::size_t at = 0; at < words_.size() && entries_.size() < count_;)
      if (!segment(at, true)) return {};
    if (entries_.size() != count_) entries_.clear();
    return std::move(entries_);
  }

 private:
  bool segment(std::size_t& at, bool may_refer) {
    if (at + 2 > words_.size()) return false;
    const int kind = words_[at];
    const std::size_t length = words_[at + 1];
    at += 2;
    if (kind == 0) return discrete(at, length);
    if (kind == 1) return linear(at, length);
    return kind == 2 && may_refer && indirect(at, length);
  }
  bool discrete(std::size_t& at, std::size_t length) {
    if (length > words_.size() - at || length > count_ - entries_.size()) return false;
    entries_.insert(entries_.end(), words_.begin() + static_cast<std::ptrdiff_t>(at),
                    words_.begin() + static_cast<std::ptrdiff_t>(at + length));
    at += length;
    return true;
  }
  bool linear(std::size_t& at, std::size_t length) {
    if (at >= words_.size() || entries_.empty() || length > count_ - entries_.size()) return false;
    const double from = entries_.back(), to = words_[at++];
    for (std::size_t i = 1; i <= length; ++i)
      entries_.push_back(
          static_cast<std::uint16_t>(from + (to - from) * static_cast<double>(i) / static_cast<double>(length) + 0.5));
    return true;
  }
  bool indirect(std::size_t& at, std::size_t segments) {
    if (at + 2 > words_.size()) return false;
    const std::size_t bytes = words_[at] | static_cast<std::size_t>(words_[at + 1]) << 16U;
    at += 2;
    std::size_t from = bytes / 2;
    for (std::size_t i = 0; i < segments && entries_.size() < count_; ++i)
      if (from >= at || !segment(from, false)) return false;
    return true;
  }

  const std::vector<std::uint16_t>& words_;
  std::size_t count_;
  std::vector<std::uint16_t> entries_;
};

}  // namespace

std::optional<LookupTable> read_lookup_table(DcmItem& item, const Attribute& descriptor, const Attribute& data,
                                             bool is_signed, std::string& problem) {
  const auto d = read_descriptor(item, descriptor, is_signed, problem);
  if (!d) return std::nullopt;
  LookupTable table{d->first, d->bits, entries_of(words_of(item, data), d->entries)};
  if (!table.entries.empty()) return table;
  problem = text(data) + " has fewer than the " + std::to_string(d->entries) + " entries that " + text(descriptor) +
            " announces";
  return std::nullopt;
}

std::optional<Palette> read_palette(DcmItem& dataset, bool is_signed, std::string& problem) {
  static constexpr Attribute parts[3][3] = {
      {attribute::red_palette_descriptor, attribute::red_palette_data, attribute::segmented_red_palette_data},
      {attribute::green_palette_descriptor, attribute::green_palette_data, attribute::segmented_green_palette_data},
      {attribute::blue_palette_descriptor, attribute::blue_palette_data, attribute::segmented_blue_palette_data}};
  Palette palette;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto& [descriptor, data, segmented] = parts[c];
    std::optional<LookupTable> table;
    if (dataset.tagExists(key(segmented)) && !dataset.tagExists(key(data))) {
      const auto d = read_descriptor(dataset, descriptor, is_signed, problem);
      if (!d) return std::nullopt;
      table = LookupTable{d->first, d->bits, SegmentExpander(words_of(dataset, segmented), d->entries).expand()};
      if (table->entries.empty()) {
        problem = text(segmented) + " holds no " + std::to_string(d->entries) + " entries";
        return std::nullopt;
      }
    } else {
      table = read_lookup_table(dataset, descriptor, data, is_signed, problem);
    }
    if (!table) {
      if (problem.empty()) problem = text(descriptor) + " is missing";
      return std::nullopt;
    }
    palette[c] = std::move(*table);
  }
  return palette;
}

}  // namespace isocenter::detail::dicom
