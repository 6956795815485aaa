#include "mp4_source.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint32_t four(const char (&name)[5]) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(name[0])) << 24 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(name[1])) << 16 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(name[2])) << 8 | static_cast<unsigned char>(name[3]);
}

/// A box's type as text; what cannot be printed as '?'.
std::string text_of(std::uint32_t type) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const char c = static_cast<char>(type >> shift & 0xFF);
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  return "'" + text + "'";
}

}  // namespace

/// The next of the boxes that lie in [at, end); false at the end, where a byte of padding may stand.
bool Mp4Source::next_box(std::uint64_t& at, std::uint64_t end, Box& box) {
  if (end - at < 8) return false;
  std::uint64_t length = bytes_.u32(at), head = 8;
  box.type = bytes_.u32(at + 4);
  if (length == 1) {
    if (end - at < 16) throw StreamError("the MP4 box " + text_of(box.type) + " ends inside its length");
    length = bytes_.u64(at + 8);
    head = 16;
  }
  if (length == 0) length = end - at;  // to the end of the file
  if (length < head || length > end - at)
    throw StreamError("the MP4 box " + text_of(box.type) + " at byte " + std::to_string(at) + " announces " +
                      std::to_string(length) + " bytes where " + std::to_string(end - at) + " are left");
  box.begin = at + head;
  box.end = at + length;
  at = box.end;
  return true;
}

std::optional<Mp4Source::Box> Mp4Source::find(const Box& in, std::uint32_t type) {
  Box box;
  for (std::uint64_t at = in.begin; next_box(at, in.end, box);)
    if (box.type == type) return box;
  return std::nullopt;
}

Mp4Source::Box Mp4Source::require(const Box& in, std::uint32_t type) {
  if (const auto box = find(in, type)) return *box;
  throw StreamError("the MP4 box " + text_of(in.type) + " holds no " + text_of(type));
}

Mp4Source::Table Mp4Source::table(const Box& box, unsigned skipped, unsigned entry_bytes) {
  const std::uint64_t head = 4 + skipped + 4;
  if (box.end - box.begin < head) throw StreamError("the MP4 box " + text_of(box.type) + " is too short");
  Table t{box.begin + head, bytes_.u32(box.begin + head - 4)};
  if (entry_bytes != 0 && t.count > (box.end - t.first) / entry_bytes)
    throw StreamError("the MP4 box " + text_of(box.type) + " announces " + std::to_string(t.count) +
                      " entries and holds " + std::to_string((box.end - t.first) / entry_bytes));
  return t;
}

bool Mp4Source::is_video(const Box& track) {
  const Box handler = require(require(track, four("mdia")), four("hdlr"));
  return handler.end - handler.begin >= 12 && bytes_.u32(handler.begin + 8) == four("vide");
}

Mp4Source::Mp4Source(StreamBytes& bytes, std::size_t largest_nal) : bytes_(bytes), largest_nal_(largest_nal) {
  const Box file{four("file"), 0, bytes.size()};
  const Box movie = require(file, four("moov"));
  if (find(movie, four("mvex"))) throw StreamError("the MP4 file is fragmented ('mvex'), which is not read");
  std::optional<Box> video;
  Box track;
  for (std::uint64_t at = movie.begin; next_box(at, movie.end, track);) {
    if (track.type != four("trak") || !is_video(track)) continue;
    if (video) throw StreamError("the MP4 file has more than one video track");
    video = track;
  }
  if (!video) throw StreamError("the MP4 file has no video track");
  const Box samples = require(require(require(*video, four("mdia")), four("minf")), four("stbl"));
  read_description(require(samples, four("stsd")));
  const Box sizes = require(samples, four("stsz"));
  sizes_ = table(sizes, 4, 0);
  constant_size_ = bytes_.u32(sizes.begin + 4);
  if (constant_size_ == 0) sizes_ = table(sizes, 4, 4);
  samples_ = sizes_.count;
  const auto wide = find(samples, four("co64"));
  wide_offsets_ = wide.has_value();
  chunks_ = wide ? table(*wide, 0, 8) : table(require(samples, four("stco")), 0, 4);
  runs_ = table(require(samples, four("stsc")), 0, 12);
}

void Mp4Source::read_description(const Box& stsd) {
  const Table t = table(stsd, 0, 8);
  if (t.count != 1) throw StreamError("the MP4 track has " + std::to_string(t.count) + " sample descriptions, not one");
  Box entry;
  std::uint64_t at = t.first;
  if (!next_box(at, stsd.end, entry)) throw StreamError("the MP4 box 'stsd' is too short");
  const bool avc = entry.type == four("avc1") || entry.type == four("avc3");
  const bool hevc = entry.type == four("hvc1") || entry.type == four("hev1");
  if (!avc && !hevc)
    throw StreamError("the MP4 track's sample entry is " + text_of(entry.type) +
                      ", where avc1, avc3, hvc1 and hev1 are read");
  codec_ = avc ? VideoCodec::h264 : VideoCodec::hevc;
  constexpr std::uint64_t visual_entry_bytes = 78;  // ISO/IEC 14496-12, 12.1.3
  if (entry.end - entry.begin < visual_entry_bytes) throw StreamError("the MP4 sample entry is too short");
  entry.begin += visual_entry_bytes;
  avc ? read_avc_configuration(require(entry, four("avcC"))) : read_hevc_configuration(require(entry, four("hvcC")));
}

/// A set behind its length of 16 bits; where the next begins.
std::uint64_t Mp4Source::take_parameter_set(std::uint64_t at, std::uint64_t end) {
  std::uint8_t length[2] = {};
  if (end - at >= 2) bytes_.read(at, length);
  const std::uint64_t count = static_cast<std::uint64_t>(length[0]) << 8 | length[1];
  if (end - at < 2 || count > end - at - 2) throw StreamError("a parameter set ends beyond its MP4 box");
  if (count == 0) return at + 2;
  set_bytes_ += count;
  if (parameter_sets_.size() == most_sets || set_bytes_ > largest_nal_)
    throw StreamError("the MP4 file's parameter sets are more than " + std::to_string(most_sets) + " or, together, " +
                      std::to_string(largest_nal_) + " bytes");
  std::vector<std::uint8_t> set(count);
  bytes_.read(at + 2, set);
  parameter_sets_.push_back(std::move(set));
  return at + 2 + count;
}

/// ISO/IEC 14496-15, 5.3.3.1.
void Mp4Source::read_avc_configuration(const Box& box) {
  std::uint8_t head[6];
  if (box.end - box.begin < 7) throw StreamError("the MP4 box 'avcC' is too short");
  bytes_.read(box.begin, head);
  length_bytes_ = (head[4] & 3U) + 1;
  std::uint64_t at = box.begin + 6;
  for (unsigned i = 0; i < (head[5] & 31U); ++i) at = take_parameter_set(at, box.end);
  std::uint8_t count[1] = {};
  if (at < box.end) bytes_.read(at, count);
  ++at;
  for (unsigned i = 0; i < count[0]; ++i) at = take_parameter_set(at, box.end);
}

/// ISO/IEC 14496-15, 8.3.3.1.
void Mp4Source::read_hevc_configuration(const Box& box) {
  constexpr std::uint64_t head_bytes = 23;
  std::uint8_t head[head_bytes];
  if (box.end - box.begin < head_bytes) throw StreamError("the MP4 box 'hvcC' is too short");
  bytes_.read(box.begin, head);
  length_bytes_ = (head[21] & 3U) + 1;
  std::uint64_t at = box.begin + head_bytes;
  for (unsigned array = 0; array < head[22]; ++array) {
    std::uint8_t kind[3];
    if (box.end - at < 3) throw StreamError("the MP4 box 'hvcC' is too short");
    bytes_.read(at, kind);
    at += 3;
    for (unsigned i = 0; i < (static_cast<unsigned>(kind[1]) << 8 | kind[2]); ++i) at = take_parameter_set(at, box.end);
  }
}

void Mp4Source::next_chunk() {
  if (chunk_ == chunks_.count)
    throw StreamError("the MP4 chunks hold " + std::to_string(sample_) + " of " + std::to_string(samples_) +
                      " samples");
  at_ = wide_offsets_ ? bytes_.u64(chunks_.first + 8ULL * chunk_) : bytes_.u32(chunks_.first + 4ULL * chunk_);
  ++chunk_;
  if (runs_.count == 0) throw StreamError("the MP4 box 'stsc' is empty");
  // Entries give the first chunk, counted from 1, for which they hold.
  while (run_ + 1 < runs_.count && bytes_.u32(runs_.first + 12ULL * (run_ + 1)) <= chunk_) ++run_;
  left_in_chunk_ = bytes_.u32(runs_.first + 12ULL * run_ + 4);
  if (bytes_.u32(runs_.first + 12ULL * run_ + 8) != 1)
    throw StreamError("an MP4 chunk asks for another sample description than the first");
}

void Mp4Source::next_sample() {
  while (left_in_chunk_ == 0) next_chunk();
  const std::uint64_t size = constant_size_ != 0 ? constant_size_ : bytes_.u32(sizes_.first + 4 * sample_);
  if (at_ > bytes_.size() || size > bytes_.size() - at_)
    throw StreamError("sample " + std::to_string(sample_ + 1) + " of the MP4 track, " + std::to_string(size) +
                      " bytes at byte " + std::to_string(at_) + ", ends beyond the stream's " +
                      std::to_string(bytes_.size()) + " bytes");
  unit_at_ = at_;
  sample_end_ = at_ += size;
  ++sample_;
  --left_in_chunk_;
}

bool Mp4Source::next(std::vector<std::uint8_t>& nal) {
  if (given_sets_ < parameter_sets_.size()) {
    nal = parameter_sets_[given_sets_++];
    return true;
  }
  for (;;) {
    while (unit_at_ == sample_end_) {
      if (sample_ == samples_) return false;
      next_sample();
    }
    std::uint8_t prefix[4] = {};
    if (sample_end_ - unit_at_ < length_bytes_) throw StreamError("an MP4 sample ends inside a NAL unit's length");
    bytes_.read(unit_at_, {prefix, length_bytes_});
    std::uint64_t length = 0;
    for (unsigned i = 0; i < length_bytes_; ++i) length = length << 8 | prefix[i];
    unit_at_ += length_bytes_;
    if (length > sample_end_ - unit_at_)
      throw StreamError("a NAL unit of " + std::to_string(length) + " bytes ends beyond its MP4 sample");
    if (length > largest_nal_)
      throw StreamError("a NAL unit is larger than " + std::to_string(largest_nal_) + " bytes");
    nal.resize(length);
    bytes_.read(unit_at_, nal);
    unit_at_ += length;
    if (length > 0) return true;
  }
}

}  // namespace isocenter::detail::dicom
