#pragma once
// The headers of an H.264 stream (ISO/IEC 14496-10, 7.3), as far as they say whether its pictures can be decoded.
#include <cstdint>
#include <map>
#include <span>

#include "stream_format.hpp"

namespace isocenter::detail::dicom {

struct H264SequenceSet {
  std::uint32_t id = 0;
  VideoFormat format;
  unsigned frame_number_bits = 4;
  unsigned order_count_type = 0, order_count_bits = 4;  ///< bits: of type 0
};

/// Follows a stream's headers, unit by unit. Refused by name, with StreamError: what OpenH264 does not decode
/// (interlaced pictures, other than 4:2:0 with 8 bits, the Extended profile) or decodes to other pixels than the
/// standard (B slices), a second view, sizes other than expected, and pictures that are not shown in decoding order.
class H264Headers {
 public:
  H264Headers(int width, int height) : width_(width), height_(height) {}

  /// Checks one unit.
  void read(std::span<const std::uint8_t> nal);
  /// Whether the last unit begins a picture (7.4.1.2.4); it may follow units that belong to the same access unit.
  bool began_picture() const { return began_picture_; }
  /// Of the picture that the last slice belongs to.
  const VideoFormat& format() const { return format_; }

 private:
  void read_slice(std::span<const std::uint8_t> nal);
  void follow_order(const H264SequenceSet& set, bool is_instant_refresh, bool is_reference, std::uint32_t lsb);

  int width_, height_;
  std::map<std::uint32_t, H264SequenceSet> sequence_sets_;
  std::map<std::uint32_t, std::uint32_t> picture_sets_;  ///< picture set to sequence set
  bool began_picture_ = false;
  VideoFormat format_;
  std::int64_t reference_msb_ = 0, reference_lsb_ = 0, last_order_ = 0;
};

/// 7.3.2.1.1 and annex E.1.1. Throws StreamError for what is not decoded.
H264SequenceSet read_h264_sequence_set(std::span<const std::uint8_t> nal);

}  // namespace isocenter::detail::dicom
