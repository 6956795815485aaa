#pragma once
// The marker segments of a JPEG 2000 codestream: ITU-T T.800 annex A, as far as our own decoder takes them.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "jpeg2000_block.hpp"

namespace isocenter::detail::dicom {

constexpr int j2k_most_levels = 32;

/// A half-open rectangle on whichever grid is spoken of.
struct J2kRect {
  std::int64_t x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  std::int64_t width() const { return x1 - x0; }
  std::int64_t height() const { return y1 - y0; }
  bool empty() const { return x0 >= x1 || y0 >= y1; }
};

/// COD and COC of one component, table A.20.
struct J2kCoding {
  int levels = 0;
  int block_width_log2 = 6, block_height_log2 = 6;
  J2kBlockStyle style;
  bool reversible = true;
  std::uint8_t precinct_log2[j2k_most_levels + 1]{};  ///< a resolution's, height in the upper four bits
};

/// QCD and QCC of one component, tables A.27 to A.30: what stands there for a band.
struct J2kQuantisation {
  bool scalar = false, derived = false;
  int guard_bits = 0;
  int count = 0;
  std::uint16_t steps[3 * j2k_most_levels + 1]{};  ///< exponent in the upper five bits, mantissa in the lower eleven
};

enum class J2kProgression : std::uint8_t { lrcp, rlcp, rpcl, pcrl, cprl };

struct J2kComponent {
  int bits = 0;
  bool is_signed = false;
  J2kCoding coding;
  J2kQuantisation quantisation;
};

struct J2kCodestream {
  J2kRect image;  ///< on the reference grid; no component is subsampled
  std::int64_t tile_width = 0, tile_height = 0, tile_x0 = 0, tile_y0 = 0;
  std::vector<J2kComponent> components;
  J2kProgression progression = J2kProgression::lrcp;
  int layers = 0;
  bool colour_transform = false, sop = false, eph = false;
  std::vector<std::vector<std::span<const std::uint8_t>>> tiles;  ///< each tile's packets: those of its parts in a row

  std::int64_t tiles_across() const { return (image.x1 - tile_x0 + tile_width - 1) / tile_width; }
  std::int64_t tiles_down() const { return (image.y1 - tile_y0 + tile_height - 1) / tile_height; }
};

/// Everything but the packets. Nothing for a codestream that is damaged or that our decoder does not take: another
/// image than columns × rows × components, more than four of these, subsampling, more than 16 bits, HTJ2K, regions of
/// interest, changes of progression or from tile to tile, packed packet headers, JP2 boxes.
std::optional<J2kCodestream> read_j2k_markers(std::span<const std::uint8_t> codestream, int columns, int rows,
                                              int components);

}  // namespace isocenter::detail::dicom
