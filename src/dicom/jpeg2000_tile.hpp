#pragma once
// Tier 2 of JPEG 2000: a tile's packets to the coded segments of its code-blocks. ITU-T T.800 annex B.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "jpeg2000_markers.hpp"

namespace isocenter::detail::dicom {

/// A part of a block's bytes, as one packet brought it.
struct J2kPiece {
  std::span<const std::uint8_t> bytes;
  int passes = 0;
  bool begins_segment = false;
  std::int32_t next = -1;  ///< the same block's next piece in J2kTile::pieces
};

struct J2kCodedBlock {
  std::int32_t x = 0, y = 0, width = 0, height = 0;  ///< in its band, from the band's corner
  std::int32_t planes = 0;
  std::int32_t passes = 0;
  std::int32_t length_bits = 3;     ///< Lblock, B.10.7.1
  std::int32_t segment_passes = 0;  ///< passes that the last segment has so far
  std::int32_t first = -1, last = -1;
};

/// A band's blocks within one precinct.
struct J2kPrecinctBand {
  std::size_t first_block = 0;
  std::int32_t across = 0, down = 0;
  std::size_t inclusion = 0, zero_planes = 0;  ///< roots of its tag trees
};

struct J2kBandPlan {
  J2kBand kind = J2kBand::ll;
  J2kRect area;
  int planes = 0;     ///< Mb, equation E-2
  float step = 1.0F;  ///< equation E-3
  std::size_t first_block = 0, blocks = 0;
};

struct J2kResolution {
  J2kRect area;
  int bands = 0;
  J2kBandPlan band[3];
  std::int64_t precincts_across = 0, precincts_down = 0;
  std::size_t first_precinct = 0;  ///< in units of `bands` entries of J2kTile::precincts
};

struct J2kTileComponent {
  J2kRect area;
  std::vector<J2kResolution> resolutions;
};

struct J2kTile {
  J2kRect area;
  std::vector<J2kTileComponent> components;
  std::vector<J2kCodedBlock> blocks;
  std::vector<J2kPrecinctBand> precincts;
  std::vector<J2kPiece> pieces;
  std::vector<std::uint8_t> joined;  ///< where the pieces of a tile in several parts lie
};

/// What tile `index` is made of, every packet read. Nothing when its packets are damaged, cut short or followed by
/// other bytes, when it has more packets than bytes for them, or more precincts and blocks than a sixteenth of its
/// samples and 4096: that bounds the memory, before a packet is read.
std::optional<J2kTile> read_j2k_tile(const J2kCodestream& codestream, std::size_t index);

}  // namespace isocenter::detail::dicom
