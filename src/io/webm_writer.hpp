#pragma once
// The container that browsers play.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "staged_file.hpp"

namespace isocenter::detail::io {

struct WebmTrack {
  int width = 0;
  int height = 0;
  double period_s = 0;  ///< from one frame to the next
};

/// Writes one VP9 track as WebM: Matroska (RFC 9559) over EBML (RFC 8794), with the elements that the WebM guidelines
/// allow. The picture is tagged as BT.709 primaries and matrix, sRGB transfer, limited range, chroma sited between
/// pixels (codes of ITU-T H.273). Each key frame opens a cluster and has a cue; the cues stand before the clusters
/// where they fit (about 400 of them) and else after, and the duration is written, so that players can seek at once.
/// The bytes depend on nothing but the track and the frames: no date, no random identifier.
///
/// Memory: one cluster, that is the frames from one key frame to the next or of five seconds.
class WebmWriter {
 public:
  WebmWriter(const std::filesystem::path& path, const WebmTrack& track);
  /// One frame as the encoder gave it; the first must be a key frame.
  void add(std::span<const std::byte> packet, bool is_key_frame);
  std::int64_t frames() const { return frames_; }
  /// Completes the file and gives it its name.
  void finish();

 private:
  struct Cue {
    std::uint64_t time_ms;
    std::uint64_t position;  ///< of its cluster, from the segment's first byte
  };
  void write_cluster();
  std::vector<std::byte> cues_element() const;
  void write_cues();
  std::uint64_t time_ms(std::int64_t frame) const;

  StagedFile file_;
  double period_s_;
  std::int64_t frames_ = 0;
  std::vector<Cue> cues_;
  std::uint64_t cluster_start_ms_ = 0;
  std::vector<std::byte> cluster_;  ///< the open cluster's blocks
  std::uint64_t segment_begin_ = 0, seek_position_ = 0, duration_position_ = 0, reserved_begin_ = 0;
};

}  // namespace isocenter::detail::io
