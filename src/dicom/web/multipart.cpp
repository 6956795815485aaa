#include "multipart.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <isocenter/error.hpp>

namespace isocenter::detail::dicom {
namespace {

constexpr std::size_t most_padding = 256;  ///< white space after a boundary (RFC 2046: transport padding)

bool is_boundary(const std::string& text) {
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// Whether `name` is what stands before the colon of a header line, in any case.
bool is_header(const std::string& line, const char* name, std::string& value) {
  const std::size_t length = std::strlen(name);
  if (line.size() <= length || line[length] != ':') return false;
  for (std::size_t i = 0; i < length; ++i)
    if ((line[i] | 0x20) != (name[i] | 0x20)) return false;
  const std::size_t start = line.find_first_not_of(" \t", length + 1);
  value = start == std::string::npos ? "" : line.substr(start, line.find_last_not_of(" \t") - start + 1);
  return true;
}

}  // namespace

MultipartReader::MultipartReader(const std::string& boundary, PartTaker& taker, std::string where,
                                 MultipartLimits limits)
    : delimiter_("\r\n--" + boundary), taker_(taker), where_(std::move(where)), limits_(limits) {
  if (!is_boundary(boundary))
    fail(boundary.empty() ? "its Content-Type gives no boundary"
                          : "its Content-Type gives the boundary '" + shown(boundary) +
                                "', which is not 1 to 70 printable characters");
  // A first boundary stands at the start of the body or of a line in a preamble: read as if a line had ended before.
  buffer_ = {'\r', '\n'};
}

void MultipartReader::fail(const std::string& what) const {
  throw Failure(ErrorCode::bad_data, where_ + ": the answer's multipart body is damaged: " + what,
                "look into the server's log, and at what stands between it and us");
}

void MultipartReader::fail_count() const {
  fail("part " + std::to_string(parts_) + " does not end after the " + std::to_string(part_bytes_) +
       " bytes that its Content-Length gives");
}

void MultipartReader::feed(std::span<const std::uint8_t> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  while (step()) continue;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
}

void MultipartReader::finish() const {
  if (state_ == State::epilogue) return;
  fail(state_ == State::preamble ? "its boundary never came"
                                 : "it ends within part " + std::to_string(std::max<std::uint64_t>(1, parts_)) +
                                       ", without its closing boundary");
}

/// Uses what it can of the buffer; false when it needs more.
bool MultipartReader::step() {
  switch (state_) {
    case State::preamble:
      return find_delimiter(false);
    case State::boundary_line:
      return end_boundary_line();
    case State::headers:
      return read_headers();
    case State::counted_data: {
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(counted_, rest().size()));
      counted_ -= n;
      give(n);
      if (counted_ > 0) return false;
      state_ = State::counted_end;
      return true;
    }
    case State::counted_end:
      if (rest().size() < delimiter_.size()) return false;
      if (std::memcmp(rest().data(), delimiter_.data(), delimiter_.size()) != 0) fail_count();
      drop(delimiter_.size());
      in_part_ = true;
      state_ = State::boundary_line;
      return true;
    case State::data:
      return find_delimiter(true);
    default:  // the epilogue is nobody's
      drop(rest().size());
      return false;
  }
}

bool MultipartReader::find_delimiter(bool in_part) {
  const auto bytes = rest();
  const void* found =
      bytes.empty() ? nullptr : ::memmem(bytes.data(), bytes.size(), delimiter_.data(), delimiter_.size());
  // The end of what is there may be the beginning of a delimiter.
  const std::size_t before = found != nullptr
                                 ? static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data())
                                 : bytes.size() - std::min(bytes.size(), delimiter_.size() - 1);
  if (in_part)
    give(before);
  else
    drop(before);
  if (found == nullptr) return false;
  drop(delimiter_.size());
  in_part_ = in_part;
  state_ = State::boundary_line;
  return true;
}

/// What follows the boundary: "--" closes the body, a line's end begins a part, and anything else was data.
bool MultipartReader::end_boundary_line() {
  const auto bytes = rest();
  if (bytes.size() >= 2 && bytes[0] == '-' && bytes[1] == '-') {
    if (in_part_) taker_.end_part();
    state_ = State::epilogue;
    return true;
  }
  std::size_t at = 0;
  while (at < bytes.size() && at < most_padding && (bytes[at] == ' ' || bytes[at] == '\t')) ++at;
  const bool undecided =
      at + 2 > bytes.size() && (at == bytes.size() || bytes[at] == '\r' || (at == 0 && bytes[0] == '-'));
  if (undecided && at < most_padding) return false;
  if (at + 2 <= bytes.size() && bytes[at] == '\r' && bytes[at + 1] == '\n') {
    if (in_part_) taker_.end_part();
    drop(at);  // the line's end stays: headers are a block between two of them
    state_ = State::headers;
    return true;
  }
  if (in_part_) {
    if (counted_part_) fail_count();
    part_bytes_ += delimiter_.size();
    taker_.part_data({reinterpret_cast<const std::uint8_t*>(delimiter_.data()), delimiter_.size()});
  }
  state_ = in_part_ ? State::data : State::preamble;
  return true;
}

bool MultipartReader::read_headers() {
  const auto bytes = rest();
  const void* end = ::memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
  const std::size_t length =
      end == nullptr ? bytes.size() : static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - bytes.data());
  if (length > most_header_bytes)
    fail("part " + std::to_string(parts_ + 1) + " has more than " + std::to_string(most_header_bytes) +
         " bytes of headers");
  if (end == nullptr) return false;
  const std::string block(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  drop(length + 4);
  begin_part(block);
  return true;
}

void MultipartReader::begin_part(const std::string& block) {
  if (++parts_ > limits_.most_parts) fail("it has more than " + std::to_string(limits_.most_parts) + " parts");
  const std::string part = "part " + std::to_string(parts_);
  MediaType type;
  part_bytes_ = 0;
  state_ = State::data;
  for (std::size_t at = 2; at < block.size();) {
    const std::size_t end = std::min(block.find("\r\n", at), block.size());
    const std::string line = block.substr(at, end - at);
    at = end + 2;
    std::string value;
    if (is_header(line, "Content-Type", value)) {
      type = parse_media_type(value);
    } else if (is_header(line, "Content-Length", value)) {
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), counted_);
      if (error != std::errc{} || stop != value.data() + value.size())
        fail(part + " has Content-Length '" + shown(value) + "', which is no number");
      if (counted_ > limits_.most_part_bytes)
        fail(part + " announces " + value + " bytes, more than the " + std::to_string(limits_.most_part_bytes) +
             " that are taken");
      state_ = State::counted_data;
    } else if (line.find(':') == std::string::npos) {
      fail(part + " has the line '" + shown(line) + "' among its headers");
    }
  }
  counted_part_ = state_ == State::counted_data;
  taker_.begin_part(type);
}

void MultipartReader::give(std::size_t count) {
  if (count == 0) return;
  part_bytes_ += count;
  if (part_bytes_ > limits_.most_part_bytes)
    fail("part " + std::to_string(parts_) + " has more than the " + std::to_string(limits_.most_part_bytes) +
         " bytes that are taken");
  taker_.part_data(rest().first(count));
  drop(count);
}

}  // namespace isocenter::detail::dicom
