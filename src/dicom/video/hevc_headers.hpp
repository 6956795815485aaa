#pragma once
// The headers of an HEVC stream (ISO/IEC 23008-2, 7.3), as far as they say whether its pictures can be decoded.
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <span>

#include "stream_format.hpp"

namespace isocenter::detail::dicom {

/// Follows a stream's headers, unit by unit. Refused by name, with StreamError: pictures other than width x height,
/// 4:2:0, 8 or 10 bits and progressive, a second layer, and several slices in a picture of synchronised entropy coding,
/// which libde265 decodes to other pixels than the standard.
class HevcHeaders {
 public:
  HevcHeaders(int width, int height) : width_(width), height_(height) {}

  /// Checks one unit.
  void read(std::span<const std::uint8_t> nal);
  /// Whether the last unit begins a picture (7.3.6.1).
  bool began_picture() const { return began_picture_; }

 private:
  void read_sequence_set(std::span<const std::uint8_t> nal) const;
  void read_slice(std::span<const std::uint8_t> nal);

  int width_, height_;
  bool began_picture_ = false;
  std::set<std::uint32_t> synchronised_;  ///< picture parameter sets with entropy_coding_sync_enabled_flag
};

/// Tells parameter sets apart: type and identifier of a video, sequence or picture parameter set (7.3.2.1 to 7.3.2.3),
/// in the order in which they refer to each other. Nothing for other units.
struct HevcSetName {
  unsigned type = 0, id = 0;
  auto operator<=>(const HevcSetName&) const = default;
};
std::optional<HevcSetName> hevc_set_name(std::span<const std::uint8_t> nal);

}  // namespace isocenter::detail::dicom
