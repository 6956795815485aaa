#include "pixel_locator.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint32_t undefined_length = 0xFFFFFFFFU;

std::uint32_t read_u32(const std::uint8_t* p, bool big_endian) {
  return big_endian ? static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
                          static_cast<std::uint32_t>(p[2]) << 8 | p[3]
                    : static_cast<std::uint32_t>(p[3]) << 24 | static_cast<std::uint32_t>(p[2]) << 16 |
                          static_cast<std::uint32_t>(p[1]) << 8 | p[0];
}

LocatedPixels cut_short(std::string problem) {
  LocatedPixels result;
  result.truncated = true;
  result.problem = std::move(problem);
  return result;
}

LocatedPixels unusable(std::string problem) {
  LocatedPixels result;
  result.problem = std::move(problem);
  return result;
}

struct Items {
  std::vector<std::uint64_t> basic_offsets;
  std::vector<ByteRange> fragments;
  std::vector<std::uint64_t>
      item_offsets;  ///< of each fragment's item tag, from the first fragment's: what tables hold
  std::string problem;
};

/// Walks the items (FFFE,E000) up to the sequence delimiter (FFFE,E0DD) without reading their values.
Items walk_items(const InputFile& file, std::uint64_t at) {
  Items items;
  bool first = true;
  std::uint64_t origin = 0;
  for (;;) {
    std::uint8_t head[8];
    if (!file.read(at, head)) {
      items.problem = "ends before the delimiter of the compressed pixels";
      return items;
    }
    const std::uint32_t tag = read_u32(head, false);
    const std::uint32_t length = read_u32(head + 4, false);
    if (tag == 0xE0DDFFFEU) return items;
    if (tag != 0xE000FFFEU) {
      items.problem =
          "has something else where a fragment of compressed pixels should begin, at byte " + std::to_string(at);
      return items;
    }
    if (length == undefined_length || length > file.size() - at - 8) {
      items.problem = "ends inside a fragment of compressed pixels: " + std::to_string(length) +
                      " bytes are announced at byte " + std::to_string(at) + " of " + std::to_string(file.size());
      return items;
    }
    const std::uint64_t body = at + 8;
    if (first) {
      std::vector<std::uint8_t> table(length);
      if (!file.read(body, table)) {
        items.problem = "ends inside the offset table of the compressed pixels";
        return items;
      }
      for (std::size_t i = 0; i + 4 <= table.size(); i += 4)
        items.basic_offsets.push_back(read_u32(table.data() + i, false));
      first = false;
      origin = body + length;
    } else {
      items.fragments.push_back({body, length});
      items.item_offsets.push_back(at - origin);
    }
    at = body + length;
  }
}

/// Fragment numbers at which frames begin, from an offset table; empty when the table does not fit the fragments.
std::vector<std::uint32_t> starts_from_table(const std::vector<std::uint64_t>& table, const Items& items) {
  std::vector<std::uint32_t> starts;
  for (const std::uint64_t offset : table) {
    const auto found = std::lower_bound(items.item_offsets.begin(), items.item_offsets.end(), offset);
    if (found == items.item_offsets.end() || *found != offset) return {};
    const auto index = static_cast<std::uint32_t>(found - items.item_offsets.begin());
    if (!starts.empty() && index <= starts.back()) return {};
    starts.push_back(index);
  }
  if (starts.empty() || starts.front() != 0) return {};
  return starts;
}

/// Fragment numbers at which a codestream begins: JPEG and JPEG-LS with FFD8, JPEG 2000 with FF4FFF51.
std::vector<std::uint32_t> starts_from_markers(const InputFile& file, const Items& items) {
  std::vector<std::uint32_t> starts;
  for (std::size_t i = 0; i < items.fragments.size(); ++i) {
    std::uint8_t m[4] = {};
    if (items.fragments[i].length < 4 || !file.read(items.fragments[i].offset, m)) continue;
    const bool jpeg = m[0] == 0xFF && m[1] == 0xD8 && m[2] == 0xFF;
    const bool jpeg2000 = m[0] == 0xFF && m[1] == 0x4F && m[2] == 0xFF && m[3] == 0x51;
    if (jpeg || jpeg2000) starts.push_back(static_cast<std::uint32_t>(i));
  }
  return starts;
}

LocatedPixels locate_encapsulated(const InputFile& file, const PixelElement& element, std::uint64_t at) {
  Items items = walk_items(file, at);
  if (!items.problem.empty()) return cut_short(items.problem);
  const std::uint64_t frames = element.frames;
  if (items.fragments.empty()) return unusable("holds no compressed frame");
  if (element.one_stream) {
    LocatedPixels result;
    result.pixels.kind = PixelData::Kind::video;
    result.pixels.fragments = std::move(items.fragments);
    return result;
  }
  if (frames > items.fragments.size())
    return unusable("announces " + std::to_string(frames) + " frames and holds " +
                    std::to_string(items.fragments.size()) + " fragments of compressed pixels");
  std::vector<std::uint32_t> starts;
  if (element.extended_offsets.size() == frames) starts = starts_from_table(element.extended_offsets, items);
  if (starts.empty() && items.basic_offsets.size() == frames) starts = starts_from_table(items.basic_offsets, items);
  if (starts.empty() && frames == 1) starts = {0};
  if (starts.empty() && frames == items.fragments.size())
    for (std::uint32_t i = 0; i < frames; ++i) starts.push_back(i);
  if (starts.empty()) starts = starts_from_markers(file, items);
  if (starts.size() != frames || starts.front() != 0)
    return unusable("has no table that says which of its " + std::to_string(items.fragments.size()) +
                    " fragments belong to which of its " + std::to_string(frames) + " frames");
  LocatedPixels result;
  result.pixels.kind = PixelData::Kind::encapsulated;
  result.pixels.fragments = std::move(items.fragments);
  result.pixels.first_fragment = std::move(starts);
  result.pixels.first_fragment.push_back(static_cast<std::uint32_t>(result.pixels.fragments.size()));
  return result;
}

}  // namespace

LocatedPixels locate_pixels(const InputFile& file, const PixelElement& element) {
  std::uint8_t head[12] = {};
  const std::size_t head_bytes = element.explicit_vr ? 12 : 8;
  if (!file.read(element.offset, {head, head_bytes})) return cut_short("ends where its pixels should begin");
  const std::uint32_t length = read_u32(head + head_bytes - 4, element.big_endian);
  const std::uint64_t at = element.offset + head_bytes;
  if (element.encapsulated && length == undefined_length) return locate_encapsulated(file, element, at);
  if (element.encapsulated) return unusable("has pixels of a defined length in a compressed transfer syntax");
  if (length == undefined_length) return unusable("has compressed pixels in an uncompressed transfer syntax");
  if (file.size() - at < std::min<std::uint64_t>(length, element.native_bytes))
    return cut_short("ends after " + std::to_string(file.size() - at) + " of " + std::to_string(element.native_bytes) +
                     " bytes of PixelData (7fe0,0010)");
  if (length < element.native_bytes)
    return unusable("holds " + std::to_string(length) +
                    " bytes of pixels where Rows, Columns and BitsAllocated ask for " +
                    std::to_string(element.native_bytes));
  LocatedPixels result;
  result.pixels.kind = PixelData::Kind::native;
  result.pixels.big_endian = element.big_endian;
  result.pixels.bytes_in_words =
      element.big_endian && element.one_byte_samples && element.explicit_vr && head[4] == 'O' && head[5] == 'W';
  result.pixels.native = {at, element.native_bytes};
  return result;
}

}  // namespace isocenter::detail::dicom
