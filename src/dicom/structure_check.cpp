#include "structure_check.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint32_t undefined_length = 0xFFFFFFFFU;
constexpr std::uint64_t unknown_end = ~0ULL;

/// Bytes one after the other, from a file or out of a deflated stream in it.
class ByteSource {
 public:
  ByteSource(const InputFile& file, std::uint64_t at) : file_(file), at_(at), buffer_(1U << 14U) {}
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource() {
    if (inflating_) inflateEnd(&stream_);
  }

  /// What follows is a raw deflate stream (RFC 1951), as PS3.5 annex A.5 has it.
  void inflate_the_rest() {
    input_.resize(1U << 14U);
    inflating_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
    begin_ = end_ = 0;
  }

  std::uint64_t position() const { return at_; }

  bool read(std::uint8_t* to, std::size_t count) {
    while (count > 0) {
      if (begin_ == end_ && !refill()) return false;
      const std::size_t n = std::min(count, end_ - begin_);
      std::memcpy(to, buffer_.data() + begin_, n);
      begin_ += n;
      at_ += n;
      to += n;
      count -= n;
    }
    return true;
  }

  bool skip(std::uint64_t count) {
    const std::uint64_t buffered = std::min<std::uint64_t>(count, end_ - begin_);
    begin_ += buffered;
    at_ += buffered;
    count -= buffered;
    if (!inflating_) {
      at_ += count;
      if (count > 0) begin_ = end_ = 0;
      return at_ <= file_.size();
    }
    while (count > 0) {
      if (!refill()) return false;
      const std::uint64_t n = std::min<std::uint64_t>(count, end_ - begin_);
      begin_ += n;
      at_ += n;
      count -= n;
    }
    return true;
  }

 private:
  bool refill() {
    begin_ = 0;
    end_ = inflating_ ? inflate_some() : read_some(at_, buffer_);
    return end_ > 0;
  }
  std::size_t read_some(std::uint64_t from, std::vector<std::uint8_t>& to) const {
    if (from >= file_.size()) return 0;
    const std::size_t n = std::min<std::uint64_t>(to.size(), file_.size() - from);
    return file_.read(from, {to.data(), n}) ? n : 0;
  }
  std::size_t inflate_some() {
    stream_.next_out = buffer_.data();
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    while (stream_.avail_out == buffer_.size()) {
      if (stream_.avail_in == 0) {
        if (deflated_at_ == 0) deflated_at_ = at_;
        const std::size_t n = read_some(deflated_at_, input_);
        deflated_at_ += n;
        stream_.next_in = input_.data();
        stream_.avail_in = static_cast<uInt>(n);
        if (n == 0) break;
      }
      if (inflate(&stream_, Z_NO_FLUSH) != Z_OK) break;
    }
    return buffer_.size() - stream_.avail_out;
  }

  const InputFile& file_;
  std::uint64_t at_;
  std::vector<std::uint8_t> buffer_, input_;
  std::size_t begin_ = 0, end_ = 0;
  bool inflating_ = false;
  std::uint64_t deflated_at_ = 0;
  z_stream stream_{};
};

struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
};

struct Element {
  std::uint32_t tag = 0;  ///< group in the upper half
  char vr[2] = {0, 0};
  std::uint32_t length = 0;
};

std::uint32_t u16(const std::uint8_t* p, bool big_endian) {
  return big_endian ? static_cast<std::uint32_t>(p[0]) << 8U | p[1] : static_cast<std::uint32_t>(p[1]) << 8U | p[0];
}
std::uint32_t u32(const std::uint8_t* p, bool big_endian) {
  return big_endian ? u16(p, true) << 16U | u16(p + 2, true) : u16(p + 2, false) << 16U | u16(p, false);
}

bool has_long_length(const char* vr) {  // PS3.5 section 7.1.2
  static constexpr std::string_view long_ones[] = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                   "SV", "UC", "UN", "UR", "UT", "UV"};
  return std::find(std::begin(long_ones), std::end(long_ones), std::string_view(vr, 2)) != std::end(long_ones);
}

bool read_element(ByteSource& source, Encoding encoding, Element& e) {
  std::uint8_t head[8];
  if (!source.read(head, 8)) return false;
  e.tag = u16(head, encoding.big_endian) << 16U | u16(head + 2, encoding.big_endian);
  e.vr[0] = e.vr[1] = 0;
  const bool delimiter = e.tag >> 16U == 0xFFFEU;
  const auto is_upper = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
  if (delimiter || !encoding.explicit_vr || !is_upper(head[4]) || !is_upper(head[5])) {
    e.length = u32(head + 4, encoding.big_endian);
    return true;
  }
  e.vr[0] = static_cast<char>(head[4]);
  e.vr[1] = static_cast<char>(head[5]);
  e.length = u16(head + 6, encoding.big_endian);
  if (!has_long_length(e.vr)) return true;
  if (!source.read(head, 4)) return false;
  e.length = u32(head, encoding.big_endian);
  return true;
}

/// Reads the file meta information; leaves the source at the data set and gives its transfer syntax.
std::string read_meta(ByteSource& source, const InputFile& file) {
  std::string syntax;
  for (;;) {
    std::uint8_t group[2];
    if (!file.read(source.position(), group) || u16(group, false) != 0x0002U) return syntax;
    Element e;
    if (!read_element(source, {true, false}, e) || e.length == undefined_length) return syntax;
    if (e.tag == 0x00020010U && e.length <= 64) {
      syntax.resize(e.length);
      if (!source.read(reinterpret_cast<std::uint8_t*>(syntax.data()), e.length)) return syntax;
      while (!syntax.empty() && (syntax.back() == '\0' || syntax.back() == ' ')) syntax.pop_back();
    } else if (!source.skip(e.length)) {
      return syntax;
    }
  }
}

/// How a data set without file meta information is written, from its first element.
Encoding guess_encoding(const InputFile& file, std::uint64_t at) {
  std::uint8_t head[6] = {};
  if (!file.read(at, head)) return {};
  const auto is_upper = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
  return {is_upper(head[4]) && is_upper(head[5]), head[0] == 0 && head[1] != 0};
}

/// A sequence or an item that is open.
struct Level {
  std::uint64_t end;
  Encoding encoding;
};

Structure too_deep() {
  return {"sequences are nested deeper than " + std::to_string(deepest_nesting) + " levels", 0, {}};
}

Structure walk(ByteSource& source, Encoding encoding, bool deflated) {
  std::vector<Level> open;
  for (;;) {
    while (!open.empty() && source.position() >= open.back().end) open.pop_back();
    const Encoding now = open.empty() ? encoding : open.back().encoding;
    Element e;
    if (!read_element(source, now, e)) return {};
    if (e.tag == 0xFFFEE00DU || e.tag == 0xFFFEE0DDU) {
      if (!open.empty()) open.pop_back();
      continue;
    }
    const bool in_data_set = open.empty() && e.tag != 0xFFFEE000U;
    if (in_data_set && e.tag >= 0x7FE00008U) return {{}, deflated ? e.length : 0, {}};
    const bool unknown = e.vr[0] == 'U' && e.vr[1] == 'N';
    const bool nests = e.tag == 0xFFFEE000U || (e.vr[0] == 'S' && e.vr[1] == 'Q') || e.length == undefined_length;
    if (nests) {
      // A sequence of unknown representation is implicit inside: PS3.5 section 6.2.2.
      const Encoding inside = unknown ? Encoding{false, false} : now;
      open.push_back({e.length == undefined_length ? unknown_end : source.position() + e.length, inside});
      if (static_cast<int>(open.size()) > 2 * deepest_nesting)  // a sequence and its item are two levels
        return too_deep();
      continue;
    }
    if (!now.explicit_vr && e.length >= 8 && e.length != undefined_length) {
      // Implicit representations name no sequence: one of a defined length shows by its first item.
      std::uint8_t first[4];
      if (!source.read(first, 4)) return {};
      if (u32(first, false) == 0xE000FFFEU) {
        const std::uint64_t end = source.position() - 4 + e.length;
        std::uint8_t length[4];
        if (!source.read(length, 4)) return {};
        open.push_back({end, now});
        const std::uint32_t item = u32(length, false);
        open.push_back({item == undefined_length ? unknown_end : source.position() + item, now});
        if (static_cast<int>(open.size()) > 2 * deepest_nesting) return too_deep();
        continue;
      }
      e.length -= 4;
    }
    if (deflated && source.position() + e.length > longest_deflated_header)
      return {"its deflated header has more than " + std::to_string(longest_deflated_header) + " bytes", 0, {}};
    if (!source.skip(e.length)) return {};
  }
}

}  // namespace

Structure check_structure(const InputFile& file, bool part10) {
  ByteSource source(file, part10 ? 132 : 0);
  std::uint8_t group[2] = {};
  const bool bare_meta = !part10 && file.read(0, group) && u16(group, false) == 0x0002U;
  if (!part10 && !bare_meta) return walk(source, guess_encoding(file, 0), false);
  const std::string syntax = read_meta(source, file);
  const bool deflated = syntax == "1.2.840.10008.1.2.1.99" || syntax == "1.2.840.10008.1.2.4.95";
  Encoding encoding{syntax != "1.2.840.10008.1.2", syntax == "1.2.840.10008.1.2.2"};
  if (syntax.empty()) encoding = guess_encoding(file, source.position());
  if (deflated) source.inflate_the_rest();
  Structure structure = walk(source, encoding, deflated);
  structure.transfer_syntax = syntax;
  return structure;
}

}  // namespace isocenter::detail::dicom
