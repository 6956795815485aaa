#include "jpeg2000_demand.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint64_t fixed_bytes = 5U << 18U;  // OpenJPEG reads through a buffer of 1 MiB

/// COD or COC: ITU-T T.800 tables A.15 to A.21.
struct Coding {
  unsigned levels = 0, block_width_log2 = 6, block_height_log2 = 6, style = 0;
  std::array<std::uint8_t, 33> precinct_log2{};

  bool operator==(const Coding&) const = default;
};

struct Headers {
  std::uint64_t tile_width = 0, tile_height = 0, tiles = 0, components = 0, layers = 1;
  std::vector<Coding> codings;  ///< different ones
  bool bounded = true;          ///< false: a decoder may find other markers than these
};

/// Markers of a main header whose segments every decoder steps over by their length: ISO/IEC 15444-1 table A.2 (SIZ,
/// COD, COC, TLM, PLM, QCD, QCC, RGN, POC, PPM, CRG, COM, SOT and, for those that refuse them here, PLT and PPT),
/// 15444-15 (CAP), 15444-2 (MCT, MCC, MCO, CBD).
bool has_length(unsigned marker) {
  constexpr std::uint8_t all[] = {0x50, 0x51, 0x52, 0x53, 0x55, 0x57, 0x58, 0x5C, 0x5D, 0x5E,
                                  0x5F, 0x60, 0x61, 0x63, 0x64, 0x74, 0x75, 0x77, 0x78, 0x90};
  return std::find(std::begin(all), std::end(all), marker) != std::end(all);
}

/// A codestream's marker segments, from one to the next.
class Scanner {
 public:
  explicit Scanner(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  Headers read() {
    headers_.bounded = markers(codestream()) && headers_.tiles > 0;
    return std::move(headers_);
  }

 private:
  unsigned byte(std::size_t at) const { return at < bytes_.size() ? bytes_[at] : 0; }
  unsigned word(std::size_t at) const { return byte(at) << 8U | byte(at + 1); }
  std::uint64_t number(std::size_t at) const { return std::uint64_t{word(at)} << 16U | word(at + 2); }

  /// Where SOC is: in a JP2 file, which some writers wrap it in, the contents of the box jp2c (ISO/IEC 15444-1 I.4).
  std::size_t codestream() const {
    constexpr std::uint8_t signature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};
    if (bytes_.size() < 8 || !std::equal(std::begin(signature), std::end(signature), bytes_.begin())) return 0;
    std::size_t at = 0;
    while (at + 8 <= bytes_.size()) {
      const std::uint64_t short_length = number(at);
      const std::size_t head = short_length == 1 ? 16 : 8;
      if (number(at + 4) == 0x6A703263) return at + head;
      const std::uint64_t length = short_length == 1 ? number(at + 8) << 32U | number(at + 12) : short_length;
      if (length < head || length > bytes_.size() - at) break;  // 0: up to the end
      at += length;
    }
    return bytes_.size();
  }

  /// Reads those from SOC on. False if decoders may disagree where the next one is: OpenJPEG steps over a marker that
  /// it does not know word by word, not by its length.
  bool markers(std::size_t at) {
    if (word(at) != 0xFF4F) return false;
    at += 2;
    bool main_header = true;
    std::size_t tile_part = 0, tile_part_bytes = 0;
    while (at + 4 <= bytes_.size() && bytes_[at] == 0xFF) {
      const unsigned marker = bytes_[at + 1];
      if (main_header && marker >= 0x30 && marker <= 0x3F) {  // no segment
        at += 2;
        if (byte(at) != 0xFF) return false;
        continue;
      }
      const std::size_t length = word(at + 2);
      if (main_header && !has_length(marker) && !is_plain(marker, at + 2, length)) return false;
      if (marker == 0xD9) break;
      if (marker == 0x93) {  // the packets; a tile-part without a length is the last
        if (tile_part_bytes == 0) break;
        if (tile_part_bytes < at + 2 - tile_part) return false;
        at = tile_part + tile_part_bytes;
        continue;
      }
      if (length < 2) break;
      const std::size_t end = std::min(bytes_.size(), at + 2 + length);
      if (marker == 0x90) {
        main_header = false;
        tile_part = at;
        tile_part_bytes = number(at + 6);
      } else {
        segment(marker, at + 4, end);
      }
      at += 2 + length;
    }
    return headers_.codings.size() <= most_codings;
  }

  /// CPF or PRF (ISO/IEC 15444-15, 15444-1), which not every OpenJPEG knows, and no word in it reads as a marker.
  bool is_plain(unsigned marker, std::size_t at, std::size_t length) const {
    if ((marker != 0x59 && marker != 0x56) || length < 2 || length % 2 != 0) return false;
    const auto segment = bytes_.subspan(at, std::min(length, bytes_.size() - at));
    return std::find(segment.begin(), segment.end(), 0xFF) == segment.end();
  }

  void segment(unsigned marker, std::size_t at, std::size_t end) {
    if (marker == 0x51 && headers_.tiles == 0) image_size(at);
    if (marker == 0x52) {
      headers_.layers = std::max<std::uint64_t>(headers_.layers, word(at + 2));
      coding(at + 5, end, (byte(at) & 1U) != 0);
    }
    if (marker == 0x53) {
      const std::size_t style = at + (headers_.components < 257 ? 1 : 2);
      coding(style + 1, end, (byte(style) & 1U) != 0);
    }
  }

  void image_size(std::size_t at) {
    const std::uint64_t x1 = number(at + 2), y1 = number(at + 6), x0 = number(at + 10), y0 = number(at + 14);
    const std::uint64_t width = std::max<std::uint64_t>(1, number(at + 18));
    const std::uint64_t height = std::max<std::uint64_t>(1, number(at + 22));
    const std::uint64_t tile_x = number(at + 26), tile_y = number(at + 30);
    headers_.components = word(at + 34);
    const auto count = [](std::uint64_t end, std::uint64_t begin, std::uint64_t each) {
      return end > begin ? (end - begin + each - 1) / each : 1;
    };
    headers_.tiles = count(x1, tile_x, width) * count(y1, tile_y, height);
    headers_.tile_width = std::min(width, x1 > x0 ? x1 - x0 : 1);
    headers_.tile_height = std::min(height, y1 > y0 ? y1 - y0 : 1);
  }

  void coding(std::size_t at, std::size_t end, bool precincts) {
    Coding c;
    c.levels = std::min(32U, byte(at));
    c.block_width_log2 = std::min(10U, byte(at + 1) + 2);
    c.block_height_log2 = std::min(10U, byte(at + 2) + 2);
    c.style = byte(at + 3);
    for (std::size_t r = 0; r < c.precinct_log2.size(); ++r)
      c.precinct_log2[r] = precincts && at + 5 + r < end ? static_cast<std::uint8_t>(byte(at + 5 + r)) : 0xFF;
    auto& all = headers_.codings;
    if (all.size() <= most_codings && std::find(all.begin(), all.end(), c) == all.end()) all.push_back(c);
  }

  static constexpr std::size_t most_codings = 64;  // more kinds than tiles that differ in a file of use
  std::span<const std::uint8_t> bytes_;
  Headers headers_;
};

/// How many cells of 2^log2 samples a run of so many touches, wherever it begins.
std::uint64_t cells(std::uint64_t samples, unsigned log2) {
  return samples == 0 ? 0 : ((samples - 1) >> log2) + (log2 == 0 ? 1 : 2);
}

struct Structure {
  std::uint64_t bytes = 0, blocks = 0;
};

/// Of one component of one tile.
Structure structure_of(const Coding& c, std::uint64_t width, std::uint64_t height) {
  const auto reduced = [](std::uint64_t v, unsigned by) { return v == 0 ? 0 : ((v - 1) >> by) + 1; };
  Structure all;
  for (unsigned r = 0; r <= c.levels; ++r) {
    const unsigned down = c.levels - r, halving = r == 0 ? 0 : 1, bands = r == 0 ? 1 : 3;
    const std::uint64_t w = reduced(width, down), h = reduced(height, down);
    const unsigned pw = c.precinct_log2[r] & 0xFU, ph = c.precinct_log2[r] >> 4U;
    const std::uint64_t precincts = cells(w, pw) * cells(h, ph);
    const unsigned bw = std::min(c.block_width_log2, pw - std::min(pw, halving));
    const unsigned bh = std::min(c.block_height_log2, ph - std::min(ph, halving));
    const std::uint64_t blocks = cells(reduced(w, halving), bw) * cells(reduced(h, halving), bh);
    all.blocks += bands * blocks;
    all.bytes += bands * (448 * blocks + 112 * precincts) + 1024;
  }
  return all;
}

/// What the packets add: pieces of a block in each layer, and segments of single passes. Each takes bits of its own.
std::uint64_t piece_bytes(const Coding& c, std::uint64_t blocks, std::uint64_t layers, std::uint64_t codestream_bytes) {
  const bool single_passes = (c.style & 5U) != 0;
  return std::min(32 * layers * blocks, 44 * codestream_bytes) +
         (single_passes ? std::min(4096 * blocks, 171 * codestream_bytes) : 0);
}

std::uint64_t samples_of(const Jpeg2000Frame& f) {
  return static_cast<std::uint64_t>(f.rows) * static_cast<std::uint64_t>(f.columns) *
         static_cast<std::uint64_t>(f.samples_per_pixel);
}

}  // namespace

std::uint64_t jpeg2000_demand(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                              std::uint64_t codestream_bytes) {
  const Headers h = Scanner(codestream).read();
  const std::uint64_t whole = fixed_bytes + codestream_bytes + codestream_bytes / 4 + 4 * samples_of(frame);
  if (!h.bounded || h.tiles > 65535 || h.components > 16384) return unbounded_jpeg2000_demand;
  // A codestream of another size than the frame is refused before its tiles are laid out.
  const std::uint64_t width = std::min(h.tile_width, static_cast<std::uint64_t>(frame.columns));
  const std::uint64_t height = std::min(h.tile_height, static_cast<std::uint64_t>(frame.rows));
  const auto components = std::min(h.components, static_cast<std::uint64_t>(frame.samples_per_pixel));
  std::uint64_t structure = 0;
  for (const Coding& c : h.codings) {
    const Structure s = structure_of(c, width, height);
    structure =
        std::max(structure, components * s.bytes + piece_bytes(c, components * s.blocks, h.layers, codestream_bytes));
  }
  const std::uint64_t rows_of_padding = 160 * height;  // ours: up to 40 samples a row
  return whole + structure + components * rows_of_padding + (h.tiles > 1 ? 4 * width * height * components : 0) +
         h.tiles * (9216 + 1152 * h.components);
}

std::uint64_t jpeg2000_most_bytes(const Jpeg2000Frame& frame, std::uint64_t codestream_bytes) {
  return (4U << 20U) + 2 * codestream_bytes + 64 * samples_of(frame);
}

std::uint64_t jpeg2000_working_bytes(std::span<const std::uint8_t> header, const Jpeg2000Frame& frame,
                                     std::uint64_t codestream_bytes) {
  const std::uint64_t usual = 2 * fixed_bytes + 2 * codestream_bytes + 8 * samples_of(frame);
  return std::clamp(jpeg2000_demand(header, frame, codestream_bytes), usual,
                    std::max(usual, jpeg2000_most_bytes(frame, codestream_bytes)));
}

}  // namespace isocenter::detail::dicom
