#pragma once
// A multipart body (RFC 2046 section 5.1) taken apart while it arrives, in any pieces.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media_type.hpp"

namespace isocenter::detail::dicom {

/// What gets the parts, in order: begin with the part's Content-Type, data any number of times, end. What it throws
/// ends the reading.
class PartTaker {
 public:
  virtual ~PartTaker() = default;
  virtual void begin_part(const MediaType& type) = 0;
  virtual void part_data(std::span<const std::uint8_t> data) = 0;
  virtual void end_part() = 0;
};

struct MultipartLimits {
  std::uint64_t most_part_bytes = std::uint64_t{4} << 30U;
  std::uint64_t most_parts = 1'000'000;
};

/// A part ends at a line that is the boundary and nothing else. A part whose header gives a Content-Length has that
/// many bytes, whatever they look like, and the boundary has to follow. Memory: a few KiB beside the piece that is fed.
class MultipartReader {
 public:
  static constexpr std::size_t most_header_bytes = 16384;

  /// `where` begins each message: "GET https://pacs/dicom-web/studies/1.2". Throws Failure(bad_data) for a boundary
  /// that is none (RFC 2046: 1 to 70 characters).
  MultipartReader(const std::string& boundary, PartTaker& taker, std::string where, MultipartLimits limits = {});

  /// Throws Failure(bad_data): headers that are none or too long, too many or too large parts, a Content-Length that is
  /// not the part's.
  void feed(std::span<const std::uint8_t> bytes);
  /// The body has ended. Throws Failure(bad_data) unless the closing boundary came.
  void finish() const;
  std::uint64_t parts() const { return parts_; }

 private:
  enum class State { preamble, boundary_line, headers, counted_data, counted_end, data, epilogue };
  bool step();
  bool find_delimiter(bool in_part);
  bool end_boundary_line();
  bool read_headers();
  void begin_part(const std::string& block);
  void give(std::size_t count);
  void drop(std::size_t count) { first_ += count; }
  std::span<const std::uint8_t> rest() const { return std::span(buffer_).subspan(first_); }
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_count() const;

  std::string delimiter_;  ///< "\r\n--boundary"
  PartTaker& taker_;
  std::string where_;
  MultipartLimits limits_;
  State state_ = State::preamble;
  bool in_part_ = false;              ///< the boundary line that is read follows a part's data
  bool counted_part_ = false;         ///< and that part had a Content-Length
  std::vector<std::uint8_t> buffer_;  ///< what was fed and not used yet begins at first_
  std::size_t first_ = 0;
  std::uint64_t parts_ = 0, part_bytes_ = 0, counted_ = 0;
};

}  // namespace isocenter::detail::dicom
