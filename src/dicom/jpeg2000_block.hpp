#pragma once
// Tier 1 of JPEG 2000: a code-block's coded passes to its coefficients. ITU-T T.800 annex D.
#include <cstdint>
#include <span>
#include <vector>

namespace isocenter::detail::dicom {

/// The band's kind: how its neighbourhoods map to contexts (T.800 table D.1).
enum class J2kBand : std::uint8_t { ll, hl, lh, hh };

/// T.800 table A.19.
struct J2kBlockStyle {
  bool bypass = false, reset = false, terminate_all = false, vertically_causal = false, segmentation_symbols = false;
};

/// A codeword segment: bytes, and the coding passes that they hold.
struct J2kSegment {
  std::span<const std::uint8_t> bytes;
  int passes = 0;
};

struct J2kBlock {
  int width = 0, height = 0;  ///< 1 ... 1024, together at most 4096 samples of a nominal block
  int planes = 0;             ///< magnitude bit-planes that are coded, at most j2k_most_planes
  J2kBand band = J2kBand::ll;
  J2kBlockStyle style;
  std::span<const J2kSegment> segments;  ///< with at most 3 · planes - 2 passes in all
};

constexpr int j2k_most_planes = 30;

/// Decodes blocks one after the other in the same memory: one for each thread.
class J2kBlockDecoder {
 public:
  /// Writes twice the coefficients, row after row `stride` apart: the lowest bit is the half that stands for what was
  /// not decoded (T.800 E.1.1.2, r = 1/2), and 0 where nothing was.
  void decode(const J2kBlock& block, std::int32_t* to, std::int64_t stride);

 private:
  struct Passes;
  void prepare(const J2kBlock& block);
  void decode_all(const J2kBlock& block, std::int32_t* to, std::int64_t stride);
  void decode_avx2(const J2kBlock& block, std::int32_t* to, std::int64_t stride);

  /// A word holds sixteen columns of a stripe of four rows, in the order in which they are coded; around them is a
  /// border of words that stay zero.
  struct Word {
    std::uint64_t significant = 0, valid = 0, visited = 0, refined = 0, negative = 0;
  };
  std::vector<Word> words_;
  /// For each column of a stripe three columns by six rows around it: in the lower half who is significant, in the
  /// upper one who is negative too. Bit 3 · (row + 1) + column + 1, row -1 ... 4, column -1 ... 1.
  std::vector<std::uint64_t> neighbours_;
  /// Magnitude bits of each plane, the lowest plane being the half: words without a border.
  std::vector<std::uint64_t> planes_;
};

}  // namespace isocenter::detail::dicom
