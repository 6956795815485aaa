#include "jpeg2000_markers.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr std::int64_t most_tiles = 65535;
constexpr std::size_t most_components = 4;

/// Big endian numbers; behind the end come zeros, and `bad` is set.
struct Bytes {
  std::span<const std::uint8_t> left;
  bool bad = false;

  unsigned byte() {
    if (left.empty()) {
      bad = true;
      return 0;
    }
    const unsigned value = left[0];
    left = left.subspan(1);
    return value;
  }
  unsigned word() {
    const unsigned high = byte();
    return high << 8U | byte();
  }
  std::uint32_t number() {
    const std::uint32_t high = word();
    return high << 16U | word();
  }
  Bytes take(std::size_t count) {
    if (count > left.size()) bad = true;
    const std::size_t n = std::min(count, left.size());
    const Bytes taken{left.first(n)};
    left = left.subspan(n);
    return taken;
  }
};

enum Marker : unsigned {
  soc = 0xFF4F,
  siz = 0xFF51,
  cod = 0xFF52,
  coc = 0xFF53,
  tlm = 0xFF55,
  plm = 0xFF57,
  plt = 0xFF58,
  qcd = 0xFF5C,
  qcc = 0xFF5D,
  crg = 0xFF63,
  com = 0xFF64,
  sot = 0xFF90,
  sod = 0xFF93,
  eoc = 0xFFD9,
};

class Reader {
 public:
  Reader(std::span<const std::uint8_t> codestream, int columns, int rows, int components)
      : in_{codestream}, columns_(columns), rows_(rows), components_(static_cast<std::size_t>(components)) {}

  std::optional<J2kCodestream> read() {
    if (in_.word() != soc || in_.word() != siz || !image_size(in_.take(in_.word() - 2U))) return std::nullopt;
    for (;;) {
      const unsigned marker = in_.word();
      if (marker == sot) break;
      if (marker == plt || !segment(marker)) return std::nullopt;
    }
    if (!complete()) return std::nullopt;
    do {
      if (!tile_part()) return std::nullopt;
    } while (!at_end_ && next_is_tile_part());
    if (!at_end_ || in_.bad) return std::nullopt;
    for (const auto& tile : out_.tiles)
      if (tile.empty()) return std::nullopt;
    return std::move(out_);
  }

 private:
  /// A.5.1.
  bool image_size(Bytes s) {
    const unsigned capabilities = s.word();
    if ((capabilities & 0x4000U) != 0) return false;  // part 15
    out_.image.x1 = s.number();
    out_.image.y1 = s.number();
    out_.image.x0 = s.number();
    out_.image.y0 = s.number();
    out_.tile_width = s.number();
    out_.tile_height = s.number();
    out_.tile_x0 = s.number();
    out_.tile_y0 = s.number();
    const J2kRect& image = out_.image;
    if (components_ > most_components || s.word() != components_ || image.width() != columns_ ||
        image.height() != rows_)
      return false;
    if (out_.tile_width < 1 || out_.tile_height < 1 || out_.tile_x0 > image.x0 || out_.tile_y0 > image.y0 ||
        out_.tile_x0 + out_.tile_width <= image.x0 || out_.tile_y0 + out_.tile_height <= image.y0 ||
        out_.tiles_across() * out_.tiles_down() > most_tiles)
      return false;
    out_.components.resize(components_);
    coding_of_its_own_.assign(components_, false);
    quantisation_of_its_own_.assign(components_, false);
    for (J2kComponent& c : out_.components) {
      const unsigned depth = s.byte();
      c.bits = static_cast<int>(depth & 0x7FU) + 1;
      c.is_signed = (depth & 0x80U) != 0;
      const unsigned dx = s.byte(), dy = s.byte();
      if (c.bits > 16 || dx != 1 || dy != 1) return false;
    }
    out_.tiles.resize(static_cast<std::size_t>(out_.tiles_across() * out_.tiles_down()));
    return !s.bad && s.left.empty();
  }

  /// From behind its marker on.
  bool segment(unsigned marker) {
    const unsigned length = in_.word();
    if (in_.bad || length < 2) return false;
    Bytes s = in_.take(length - 2);
    if (in_.bad) return false;
    switch (marker) {
      case cod:
        return default_coding(s);
      case coc: {
        const std::size_t c = s.byte();
        if (c >= components_) return false;
        coding_of_its_own_[c] = true;
        const bool precincts = s.byte() == 1;
        return coding(s, precincts, out_.components[c].coding);
      }
      case qcd: {
        has_quantisation_ = true;
        J2kQuantisation q;
        if (!quantisation(s, q)) return false;
        for (std::size_t c = 0; c < components_; ++c)
          if (!quantisation_of_its_own_[c]) out_.components[c].quantisation = q;
        return true;
      }
      case qcc: {
        const std::size_t c = s.byte();
        if (c >= components_) return false;
        quantisation_of_its_own_[c] = true;
        return quantisation(s, out_.components[c].quantisation);
      }
      case tlm:
      case plm:
      case plt:
      case crg:
      case com:
        return true;
      default:
        return false;
    }
  }

  /// A.6.1.
  bool default_coding(Bytes s) {
    has_coding_ = true;
    const unsigned style = s.byte();
    const unsigned progression = s.byte();
    out_.layers = static_cast<int>(s.word());
    const unsigned transform = s.byte();
    if (style > 7 || progression > 4 || out_.layers < 1 || transform > 1) return false;
    out_.sop = (style & 2U) != 0;
    out_.eph = (style & 4U) != 0;
    out_.progression = static_cast<J2kProgression>(progression);
    out_.colour_transform = transform == 1;
    J2kCoding c;
    if (!coding(s, (style & 1U) != 0, c)) return false;
    for (std::size_t i = 0; i < components_; ++i)
      if (!coding_of_its_own_[i]) out_.components[i].coding = c;
    return true;
  }

  /// Tables A.15 to A.21.
  static bool coding(Bytes s, bool precincts, J2kCoding& c) {
    c.levels = static_cast<int>(s.byte());
    c.block_width_log2 = static_cast<int>(s.byte()) + 2;
    c.block_height_log2 = static_cast<int>(s.byte()) + 2;
    const unsigned style = s.byte();
    const unsigned transform = s.byte();
    if (c.levels > j2k_most_levels || c.block_width_log2 > 10 || c.block_height_log2 > 10 ||
        c.block_width_log2 + c.block_height_log2 > 12 || style > 0x3F || transform > 1)
      return false;
    c.style.bypass = (style & 1U) != 0;
    c.style.reset = (style & 2U) != 0;
    c.style.terminate_all = (style & 4U) != 0;
    c.style.vertically_causal = (style & 8U) != 0;
    c.style.segmentation_symbols =
        (style & 0x20U) != 0;  // 0x10, predictable termination, changes nothing for a decoder
    c.reversible = transform == 1;
    for (int r = 0; r <= c.levels; ++r) {
      const unsigned size = precincts ? s.byte() : 0xFF;
      if (r > 0 && ((size & 0xFU) == 0 || size >> 4U == 0)) return false;  // halves of a sample
      c.precinct_log2[r] = static_cast<std::uint8_t>(size);
    }
    return !s.bad && s.left.empty();
  }

  /// A.6.4.
  static bool quantisation(Bytes s, J2kQuantisation& q) {
    const unsigned style = s.byte();
    q.guard_bits = static_cast<int>(style >> 5U);
    q.scalar = (style & 0x1FU) != 0;
    q.derived = (style & 0x1FU) == 1;
    if ((style & 0x1FU) > 2) return false;
    const std::size_t size = q.scalar ? 2 : 1;
    q.count = 0;
    while (!s.left.empty() && q.count < static_cast<int>(std::size(q.steps)))
      q.steps[q.count++] = static_cast<std::uint16_t>(size == 1 ? (s.byte() >> 3U) << 11U : s.word());
    return !s.bad && q.count > 0;
  }

  /// Each component has a step for each of its bands.
  bool complete() const {
    if (!has_coding_ || !has_quantisation_) return false;
    for (const J2kComponent& c : out_.components) {
      const J2kQuantisation& q = c.quantisation;
      if (q.count < (q.derived ? 1 : 3 * c.coding.levels + 1) || q.scalar == c.coding.reversible) return false;
    }
    return true;
  }

  /// A.4.2: from behind its SOT marker to its end.
  bool tile_part() {
    const std::span<const std::uint8_t> from_length = in_.left;
    if (in_.word() != 10) return false;
    const std::size_t tile = in_.word();
    const std::uint32_t length = in_.number();
    in_.word();  // index and number of its parts
    if (in_.bad || tile >= out_.tiles.size()) return false;
    // A tile's own coding parameters stand above the image's (A.6), here those of an only tile.
    const bool may_code = out_.tiles.size() == 1 && out_.tiles[0].empty();
    if (may_code) {
      coding_of_its_own_.assign(components_, false);
      quantisation_of_its_own_.assign(components_, false);
    }
    for (;;) {
      const unsigned marker = in_.word();
      if (marker == sod) break;
      const bool codes = marker == cod || marker == coc || marker == qcd || marker == qcc;
      if (marker != com && marker != plt && !(codes && may_code)) return false;
      if (!segment(marker)) return false;
    }
    if (may_code && !complete()) return false;
    if (in_.bad) return false;
    const std::size_t header = from_length.size() - in_.left.size() + 2;
    std::size_t body = 0;
    if (length == 0) {  // up to EOC, behind which a fragment may be padded
      std::size_t end = in_.left.size();
      if (end > 0 && in_.left[end - 1] == 0) --end;
      if (end < 2) return false;
      body = end - 2;
    } else {
      if (length < header) return false;
      body = length - header;
    }
    out_.tiles[tile].push_back(in_.take(body).left);
    return !in_.bad;
  }

  bool next_is_tile_part() {
    const unsigned marker = in_.word();
    at_end_ = marker == eoc;
    return marker == sot;
  }

  Bytes in_;
  int columns_, rows_;
  std::size_t components_;
  std::vector<bool> coding_of_its_own_, quantisation_of_its_own_;
  bool has_coding_ = false, has_quantisation_ = false, at_end_ = false;
  J2kCodestream out_;
};

}  // namespace

std::optional<J2kCodestream> read_j2k_markers(std::span<const std::uint8_t> codestream, int columns, int rows,
                                              int components) {
  return Reader(codestream, columns, rows, components).read();
}

}  // namespace isocenter::detail::dicom
