#include "jpeg2000_tile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

namespace isocenter::detail::dicom {
namespace {

std::int64_t ceil_shift(std::int64_t v, int bits) { return (v + (std::int64_t{1} << bits) - 1) >> bits; }

/// B-15: a tile-component's rectangle in a band `level` decompositions down; the offset is that of equation B-15's xob.
J2kRect reduced(const J2kRect& r, int level, int x_offset, int y_offset) {
  if (level == 0) return r;
  const std::int64_t half = std::int64_t{1} << (level - 1);
  return {ceil_shift(r.x0 - half * x_offset, level), ceil_shift(r.y0 - half * y_offset, level),
          ceil_shift(r.x1 - half * x_offset, level), ceil_shift(r.y1 - half * y_offset, level)};
}

/// Bits of packet headers, B.10.1: behind a byte 0xFF one bit is stuffed.
class HeaderBits {
 public:
  explicit HeaderBits(std::span<const std::uint8_t> from) : from_(from) {}
  unsigned next() {
    if (left_ == 0) {
      left_ = byte_ == 0xFF ? 7 : 8;
      bad_ |= at_ >= from_.size();
      byte_ = bad_ ? 0 : from_[at_++];
    }
    return byte_ >> --left_ & 1U;
  }
  unsigned number(int bits) {
    unsigned value = 0;
    for (int i = 0; i < bits; ++i) value = value << 1U | next();
    return value;
  }
  /// The header's bytes: a last 0xFF is followed by one stuffed.
  std::size_t finish() {
    if (byte_ == 0xFF) ++at_;
    bad_ |= at_ > from_.size();
    return at_;
  }
  bool bad() const { return bad_; }

 private:
  std::span<const std::uint8_t> from_;
  std::size_t at_ = 0;
  unsigned byte_ = 0;
  int left_ = 0;
  bool bad_ = false;
};

/// Tag trees of all precincts in one array, B.10.2: leaves first, the root last.
class TagTrees {
 public:
  std::size_t add(std::int32_t across, std::int32_t down) {
    const std::size_t first = nodes_.size();
    std::size_t count = 0;
    for (std::int64_t w = across, h = down;; w = (w + 1) / 2, h = (h + 1) / 2) {
      count += static_cast<std::size_t>(w * h);
      if (w * h <= 1) break;
    }
    nodes_.resize(first + count);
    return first;
  }

  /// Whether the leaf's value is below `limit`.
  bool below(std::size_t tree, std::int32_t across, std::int32_t down, std::int32_t x, std::int32_t y,
             std::int32_t limit, HeaderBits& bits) {
    std::size_t path[32];
    int depth = 0;
    std::size_t level = tree;
    for (std::int32_t w = across, h = down;;) {
      path[depth++] = level + static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x);
      if (std::int64_t{w} * h <= 1) break;
      level += static_cast<std::size_t>(w) * static_cast<std::size_t>(h);
      w = (w + 1) / 2;
      h = (h + 1) / 2;
      x /= 2;
      y /= 2;
    }
    std::int32_t low = 0;
    bool known = false;
    while (depth > 0) {
      Node& node = nodes_[path[--depth]];
      low = std::max(low, node.low);
      while (low < limit && !node.known) {
        if (bits.next() != 0)
          node.known = true;
        else
          ++low;
      }
      node.low = low;
      known = node.known && low < limit;
    }
    return known;
  }

 private:
  struct Node {
    std::int32_t low = 0;  ///< the value, when known
    bool known = false;
  };
  std::vector<Node> nodes_;
};

/// Table B.4.
int number_of_passes(HeaderBits& bits) {
  if (bits.next() == 0) return 1;
  if (bits.next() == 0) return 2;
  if (const unsigned n = bits.number(2); n < 3) return 3 + static_cast<int>(n);
  if (const unsigned n = bits.number(5); n < 31) return 6 + static_cast<int>(n);
  return 37 + static_cast<int>(bits.number(7));
}

/// Passes that fit into a segment which begins with pass `first`: table D.8 and D.9.
int segment_capacity(const J2kBlockStyle& style, int first) {
  if (style.terminate_all) return 1;
  if (!style.bypass) return 3 * j2k_most_planes;
  if (first < 10) return 10 - first;
  return (first - 10) % 3 == 0 ? 2 : 1;
}

struct PacketSequenceEntry {
  std::int64_t y, x;  ///< where its precinct begins on the reference grid
  int component, resolution;
  std::int64_t precinct;
};

class TileReader {
 public:
  TileReader(const J2kCodestream& codestream, std::size_t index) : stream_(codestream) {
    const auto across = static_cast<std::size_t>(codestream.tiles_across());
    const auto p = static_cast<std::int64_t>(index % across), q = static_cast<std::int64_t>(index / across);
    const std::int64_t x = codestream.tile_x0 + p * codestream.tile_width;
    const std::int64_t y = codestream.tile_y0 + q * codestream.tile_height;
    const J2kRect& image = codestream.image;
    tile_.area = {std::max(x, image.x0), std::max(y, image.y0), std::min(x + codestream.tile_width, image.x1),
                  std::min(y + codestream.tile_height, image.y1)};
    const auto& parts = codestream.tiles[index];
    if (parts.size() == 1) {
      packets_ = parts[0];
    } else {
      for (const auto& part : parts) joined_.insert(joined_.end(), part.begin(), part.end());
      packets_ = joined_;
    }
    const auto samples =
        tile_.area.width() * tile_.area.height() * static_cast<std::int64_t>(stream_.components.size());
    budget_ = 4096 + samples / 16;
  }

  std::optional<J2kTile> read() {
    for (std::size_t c = 0; c < stream_.components.size(); ++c)
      if (!lay_out(c)) return std::nullopt;
    if (!read_packets() || !packets_.empty()) return std::nullopt;
    tile_.joined = std::move(joined_);
    return std::move(tile_);
  }

 private:
  bool lay_out(std::size_t index) {
    const J2kComponent& component = stream_.components[index];
    const int levels = component.coding.levels;
    J2kTileComponent& tc = tile_.components.emplace_back();
    tc.area = tile_.area;
    tc.resolutions.resize(static_cast<std::size_t>(levels) + 1);
    for (int r = 0; r <= levels; ++r) {
      J2kResolution& res = tc.resolutions[static_cast<std::size_t>(r)];
      res.area = reduced(tc.area, levels - r, 0, 0);
      res.bands = r == 0 ? 1 : 3;
      const int width_log2 = component.coding.precinct_log2[r] & 0xF;
      const int height_log2 = component.coding.precinct_log2[r] >> 4;
      if (!res.area.empty()) {
        res.precincts_across = ceil_shift(res.area.x1, width_log2) - (res.area.x0 >> width_log2);
        res.precincts_down = ceil_shift(res.area.y1, height_log2) - (res.area.y0 >> height_log2);
      }
      for (int b = 0; b < res.bands; ++b) {
        J2kBandPlan& band = res.band[b];
        band.kind = static_cast<J2kBand>(r == 0 ? 0 : b + 1);
        const int level = r == 0 ? levels : levels - r + 1;
        band.area = reduced(tc.area, level, band.kind == J2kBand::hl || band.kind == J2kBand::hh,
                            band.kind == J2kBand::lh || band.kind == J2kBand::hh);
        if (!quantise(component, r, b, band)) return false;
      }
      if (!lay_out_precincts(component.coding, r, res, width_log2, height_log2)) return false;
    }
    return true;
  }

  static bool quantise(const J2kComponent& component, int r, int b, J2kBandPlan& band) {
    const J2kQuantisation& q = component.quantisation;
    const int number = r == 0 ? 0 : 3 * (r - 1) + 1 + b;
    const unsigned entry = q.steps[q.derived ? 0 : number];
    int exponent = static_cast<int>(entry >> 11U);
    if (q.derived && r > 0) exponent = std::max(0, exponent - (r - 1));  // equation E-5
    band.planes = std::max(0, q.guard_bits + exponent - 1);
    const int gain = band.kind == J2kBand::ll ? 0 : band.kind == J2kBand::hh ? 2 : 1;
    if (q.scalar)
      band.step = std::ldexp(1.0F + static_cast<float>(entry & 0x7FFU) / 2048.0F, component.bits + gain - exponent);
    return band.planes <= j2k_most_planes;
  }

  /// B.6 and B.7.
  bool lay_out_precincts(const J2kCoding& coding, int r, J2kResolution& res, int width_log2, int height_log2) {
    const int halving = r == 0 ? 0 : 1;
    const int band_width_log2 = width_log2 - halving, band_height_log2 = height_log2 - halving;
    const int block_width_log2 = std::min(coding.block_width_log2, band_width_log2);
    const int block_height_log2 = std::min(coding.block_height_log2, band_height_log2);
    if (res.precincts_across > budget_ || res.precincts_across * res.precincts_down > budget_) return false;
    budget_ -= res.precincts_across * res.precincts_down;
    packets_expected_ += res.precincts_across * res.precincts_down * stream_.layers;
    if (packets_expected_ > static_cast<std::int64_t>(packets_.size())) return false;  // B.10.1: whole bytes
    res.first_precinct = tile_.precincts.size();
    const std::int64_t first_x = res.area.x0 >> width_log2, first_y = res.area.y0 >> height_log2;
    tile_.precincts.resize(tile_.precincts.size() +
                           static_cast<std::size_t>(res.precincts_across * res.precincts_down * res.bands));
    for (int b = 0; b < res.bands; ++b) {
      J2kBandPlan& band = res.band[b];
      band.first_block = tile_.blocks.size();
      std::size_t at = res.first_precinct + static_cast<std::size_t>(b);
      for (std::int64_t j = first_y; j < first_y + res.precincts_down; ++j)
        for (std::int64_t i = first_x; i < first_x + res.precincts_across;
             ++i, at += static_cast<std::size_t>(res.bands)) {
          J2kPrecinctBand& precinct = tile_.precincts[at];
          const J2kRect area{
              std::max(i << band_width_log2, band.area.x0), std::max(j << band_height_log2, band.area.y0),
              std::min((i + 1) << band_width_log2, band.area.x1), std::min((j + 1) << band_height_log2, band.area.y1)};
          if (area.empty()) continue;
          const std::int64_t block_x = area.x0 >> block_width_log2, block_y = area.y0 >> block_height_log2;
          const std::int64_t across = ceil_shift(area.x1, block_width_log2) - block_x;
          const std::int64_t down = ceil_shift(area.y1, block_height_log2) - block_y;
          if (across * down > budget_) return false;
          budget_ -= across * down;
          precinct.first_block = tile_.blocks.size();
          precinct.across = static_cast<std::int32_t>(across);
          precinct.down = static_cast<std::int32_t>(down);
          precinct.inclusion = trees_.add(precinct.across, precinct.down);
          precinct.zero_planes = trees_.add(precinct.across, precinct.down);
          for (std::int64_t y = block_y; y < block_y + down; ++y)
            for (std::int64_t x = block_x; x < block_x + across; ++x) {
              const std::int64_t x0 = std::max(x << block_width_log2, area.x0);
              const std::int64_t y0 = std::max(y << block_height_log2, area.y0);
              J2kCodedBlock& block = tile_.blocks.emplace_back();
              block.x = static_cast<std::int32_t>(x0 - band.area.x0);
              block.y = static_cast<std::int32_t>(y0 - band.area.y0);
              block.width = static_cast<std::int32_t>(std::min((x + 1) << block_width_log2, area.x1) - x0);
              block.height = static_cast<std::int32_t>(std::min((y + 1) << block_height_log2, area.y1) - y0);
            }
        }
      band.blocks = tile_.blocks.size() - band.first_block;
    }
    return true;
  }

  /// B.12.1: all packets of one layer each, in the order in which they are coded.
  std::vector<PacketSequenceEntry> sequence() const {
    std::vector<PacketSequenceEntry> entries;
    for (std::size_t c = 0; c < tile_.components.size(); ++c)
      for (std::size_t r = 0; r < tile_.components[c].resolutions.size(); ++r) {
        const J2kResolution& res = tile_.components[c].resolutions[r];
        const J2kCoding& coding = stream_.components[c].coding;
        const int down = coding.levels - static_cast<int>(r);
        const int width_log2 = coding.precinct_log2[r] & 0xF, height_log2 = coding.precinct_log2[r] >> 4;
        for (std::int64_t j = 0; j < res.precincts_down; ++j)
          for (std::int64_t i = 0; i < res.precincts_across; ++i) {
            const std::int64_t x = ((res.area.x0 >> width_log2) + i) << width_log2 << down;
            const std::int64_t y = ((res.area.y0 >> height_log2) + j) << height_log2 << down;
            entries.push_back({std::max(y, tile_.area.y0), std::max(x, tile_.area.x0), static_cast<int>(c),
                               static_cast<int>(r), j * res.precincts_across + i});
          }
      }
    const auto by = [&](auto key) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    };
    using Entry = PacketSequenceEntry;
    switch (stream_.progression) {
      case J2kProgression::lrcp:
      case J2kProgression::rlcp:
        by([](const Entry& e) { return std::tuple(e.resolution, e.component, e.precinct); });
        break;
      case J2kProgression::rpcl:
        by([](const Entry& e) { return std::tuple(e.resolution, e.y, e.x, e.component, e.precinct); });
        break;
      case J2kProgression::pcrl:
        by([](const Entry& e) { return std::tuple(e.y, e.x, e.component, e.resolution, e.precinct); });
        break;
      case J2kProgression::cprl:
        by([](const Entry& e) { return std::tuple(e.component, e.y, e.x, e.resolution, e.precinct); });
        break;
    }
    return entries;
  }

  bool read_packets() {
    const auto entries = sequence();
    const auto packets_of = [&](std::size_t begin, std::size_t end) {  // of each layer in turn
      for (int layer = 0; layer < stream_.layers; ++layer)
        for (std::size_t i = begin; i < end; ++i)
          if (!packet(entries[i], layer)) return false;
      return true;
    };
    if (stream_.progression == J2kProgression::lrcp) return packets_of(0, entries.size());
    for (std::size_t begin = 0; begin < entries.size();) {
      std::size_t end = begin + 1;
      if (stream_.progression == J2kProgression::rlcp)
        while (end < entries.size() && entries[end].resolution == entries[begin].resolution) ++end;
      if (!packets_of(begin, end)) return false;
      begin = end;
    }
    return true;
  }

  /// B.9 and B.10.
  bool packet(const PacketSequenceEntry& entry, int layer) {
    if (packets_.empty()) return false;
    if (stream_.sop && packets_.size() >= 6 && packets_[0] == 0xFF && packets_[1] == 0x91)
      packets_ = packets_.subspan(6);
    const J2kResolution& res = tile_.components[static_cast<std::size_t>(entry.component)]
                                   .resolutions[static_cast<std::size_t>(entry.resolution)];
    HeaderBits bits(packets_);
    new_pieces_.clear();
    if (bits.next() != 0)
      for (int b = 0; b < res.bands; ++b) {
        const J2kPrecinctBand& precinct =
            tile_.precincts[res.first_precinct + static_cast<std::size_t>(entry.precinct * res.bands + b)];
        for (std::int32_t y = 0; y < precinct.down; ++y)
          for (std::int32_t x = 0; x < precinct.across; ++x) {
            const std::size_t block = precinct.first_block +
                                      static_cast<std::size_t>(y) * static_cast<std::size_t>(precinct.across) +
                                      static_cast<std::size_t>(x);
            if (!block_header(precinct, x, y, layer, res.band[b].planes,
                              stream_.components[static_cast<std::size_t>(entry.component)].coding.style, block, bits))
              return false;
          }
      }
    packets_ = packets_.subspan(std::min(bits.finish(), packets_.size()));
    if (bits.bad()) return false;
    if (stream_.eph && packets_.size() >= 2 && packets_[0] == 0xFF && packets_[1] == 0x92)
      packets_ = packets_.subspan(2);
    for (const NewPiece& piece : new_pieces_) {
      if (piece.length > packets_.size()) return false;
      append(piece);
      packets_ = packets_.subspan(piece.length);
    }
    return true;
  }

  bool block_header(const J2kPrecinctBand& precinct, std::int32_t x, std::int32_t y, int layer, int most_planes,
                    const J2kBlockStyle& style, std::size_t index, HeaderBits& bits) {
    J2kCodedBlock& block = tile_.blocks[index];
    if (block.passes > 0) {
      if (bits.next() == 0) return true;
    } else {
      if (!trees_.below(precinct.inclusion, precinct.across, precinct.down, x, y, layer + 1, bits)) return true;
      int zeros = 0;
      while (!trees_.below(precinct.zero_planes, precinct.across, precinct.down, x, y, zeros + 1, bits))
        if (++zeros >= most_planes) return false;
      block.planes = most_planes - zeros;
    }
    int passes = number_of_passes(bits);
    if (block.passes + passes > 3 * block.planes - 2) return false;
    while (bits.next() != 0)
      if (++block.length_bits > 32) return false;
    while (passes > 0) {
      const bool begins = block.passes == 0 || block.segment_passes == 0;
      const int room = segment_capacity(style, block.passes - block.segment_passes) - block.segment_passes;
      const int count = std::min(passes, room);
      const int length_bits = block.length_bits + static_cast<int>(std::bit_width(static_cast<unsigned>(count))) - 1;
      if (length_bits > 32) return false;
      new_pieces_.push_back({index, bits.number(length_bits), count, begins});
      passes -= count;
      block.passes += count;
      block.segment_passes = count == room ? 0 : block.segment_passes + count;
      if (bits.bad()) return false;
    }
    return true;
  }

  struct NewPiece {
    std::size_t block;
    std::size_t length;
    int passes;
    bool begins_segment;
  };

  void append(const NewPiece& piece) {
    J2kCodedBlock& block = tile_.blocks[piece.block];
    const auto number = static_cast<std::int32_t>(tile_.pieces.size());
    tile_.pieces.push_back({packets_.first(piece.length), piece.passes, piece.begins_segment, -1});
    if (block.first < 0)
      block.first = number;
    else
      tile_.pieces[static_cast<std::size_t>(block.last)].next = number;
    block.last = number;
  }

  const J2kCodestream& stream_;
  J2kTile tile_;
  TagTrees trees_;
  std::vector<std::uint8_t> joined_;
  std::span<const std::uint8_t> packets_;
  std::vector<NewPiece> new_pieces_;
  std::int64_t budget_ = 0;  ///< precincts and blocks that may still be laid out
  std::int64_t packets_expected_ = 0;
};

}  // namespace

std::optional<J2kTile> read_j2k_tile(const J2kCodestream& codestream, std::size_t index) {
  return TileReader(codestream, index).read();
}

}  // namespace isocenter::detail::dicom
