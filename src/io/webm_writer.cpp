#include "webm_writer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

namespace isocenter::detail::io {
namespace {

using Bytes = std::vector<std::byte>;

/// Element IDs, with their length marker, as RFC 9559 section 5.1 and RFC 8794 section 11.2 list them.
enum Id : std::uint32_t {
  ebml_header = 0x1A45DFA3,
  ebml_version = 0x4286,
  ebml_read_version = 0x42F7,
  ebml_max_id_length = 0x42F2,
  ebml_max_size_length = 0x42F3,
  doc_type = 0x4282,
  doc_type_version = 0x4287,
  doc_type_read_version = 0x4285,
  segment = 0x18538067,
  seek_head = 0x114D9B74,
  seek = 0x4DBB,
  seek_id = 0x53AB,
  seek_position = 0x53AC,
  info = 0x1549A966,
  timestamp_scale = 0x2AD7B1,
  duration = 0x4489,
  muxing_app = 0x4D80,
  writing_app = 0x5741,
  tracks = 0x1654AE6B,
  track_entry = 0xAE,
  track_number = 0xD7,
  track_uid = 0x73C5,
  track_type = 0x83,
  flag_lacing = 0x9C,
  default_duration = 0x23E383,
  codec_id = 0x86,
  video = 0xE0,
  flag_interlaced = 0x9A,
  pixel_width = 0xB0,
  pixel_height = 0xBA,
  colour = 0x55B0,
  matrix_coefficients = 0x55B1,
  bits_per_channel = 0x55B2,
  chroma_subsampling_horizontal = 0x55B3,
  chroma_subsampling_vertical = 0x55B4,
  chroma_siting_horizontal = 0x55B7,
  chroma_siting_vertical = 0x55B8,
  range = 0x55B9,
  transfer_characteristics = 0x55BA,
  primaries = 0x55BB,
  cues = 0x1C53BB6B,
  cue_point = 0xBB,
  cue_time = 0xB3,
  cue_track_positions = 0xB7,
  cue_track = 0xF7,
  cue_cluster_position = 0xF1,
  cluster = 0x1F43B675,
  timestamp = 0xE7,
  simple_block = 0xA3,
  void_element = 0xEC
};

constexpr std::uint64_t longest_cluster_ms = 5000;
constexpr std::size_t reserved_for_cues = 8192;

void append(Bytes& out, std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_big_endian(Bytes& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// The bytes that a number takes, at least one.
int bytes_of(std::uint64_t value) { return std::max(1, (static_cast<int>(std::bit_width(value)) + 7) / 8); }

void append_id(Bytes& out, Id id) { append_big_endian(out, id, bytes_of(id)); }

/// A size in its 8-byte form (RFC 8794, section 4).
void append_size8(Bytes& out, std::uint64_t size) { append_big_endian(out, size | (1ULL << 56), 8); }

/// A size in as few bytes as hold it; all ones are kept for "unknown".
void append_size(Bytes& out, std::uint64_t size) {
  int bytes = 1;
  while (bytes < 8 && size >= (1ULL << (7 * bytes)) - 1) ++bytes;
  append_big_endian(out, size | (1ULL << (7 * bytes)), bytes);
}

Bytes element(Id id, const Bytes& content) {
  Bytes out;
  append_id(out, id);
  append_size(out, content.size());
  append(out, content);
  return out;
}

Bytes number(Id id, std::uint64_t value, int bytes = 0) {
  Bytes content;
  append_big_endian(content, value, bytes != 0 ? bytes : bytes_of(value));
  return element(id, content);
}

Bytes real(Id id, double value) { return number(id, std::bit_cast<std::uint64_t>(value), 8); }

Bytes text(Id id, std::string_view value) {
  const auto bytes = std::as_bytes(std::span(value));
  return element(id, Bytes(bytes.begin(), bytes.end()));
}

template <class... Children>
Bytes master(Id id, const Children&... children) {
  Bytes content;
  (append(content, children), ...);
  return element(id, content);
}

Bytes header() {
  return master(ebml_header, number(ebml_version, 1), number(ebml_read_version, 1), number(ebml_max_id_length, 4),
                number(ebml_max_size_length, 8), text(doc_type, "webm"), number(doc_type_version, 4),
                number(doc_type_read_version, 2));
}

Bytes track_description(const WebmTrack& track) {
  const Bytes colours = master(colour, number(matrix_coefficients, 1), number(bits_per_channel, 8),
                               number(chroma_subsampling_horizontal, 1), number(chroma_subsampling_vertical, 1),
                               number(chroma_siting_horizontal, 2), number(chroma_siting_vertical, 2), number(range, 1),
                               number(transfer_characteristics, 13), number(primaries, 1));
  const Bytes picture =
      master(video, number(flag_interlaced, 2), number(pixel_width, static_cast<std::uint64_t>(track.width)),
             number(pixel_height, static_cast<std::uint64_t>(track.height)), colours);
  return master(tracks, master(track_entry, number(track_number, 1), number(track_uid, 1), number(track_type, 1),
                               number(flag_lacing, 0),
                               number(default_duration, static_cast<std::uint64_t>(std::llround(track.period_s * 1e9))),
                               text(codec_id, "V_VP9"), picture));
}

/// One entry of the table of contents; the position is written in 8 bytes, so that it can be filled in later.
Bytes seek_entry(Id what, std::uint64_t position) {
  Bytes id;
  append_id(id, what);
  return master(seek, element(seek_id, id), number(seek_position, position, 8));
}

/// A Void element of exactly `bytes` bytes (at least 9).
Bytes blank(std::size_t bytes) {
  Bytes out;
  append_id(out, void_element);
  append_size8(out, bytes - 9);
  out.resize(bytes);
  return out;
}

}  // namespace

WebmWriter::WebmWriter(const std::filesystem::path& path, const WebmTrack& track)
    : file_(path), period_s_(track.period_s) {
  Bytes start = header();
  append_id(start, segment);
  append_size8(start, 0);  // filled in by finish
  segment_begin_ = start.size();

  // Everything up to the clusters has a fixed size; positions count from the segment's first byte.
  const Bytes information = master(info, number(timestamp_scale, 1000000), real(duration, 0),
                                   text(muxing_app, "isocenter"), text(writing_app, "isocenter"));
  const Bytes description = track_description(track);
  const std::size_t contents_bytes =
      master(seek_head, seek_entry(info, 0), seek_entry(tracks, 0), seek_entry(cues, 0)).size();
  const std::size_t cues_at = contents_bytes + information.size() + description.size();
  const Bytes contents = master(seek_head, seek_entry(info, contents_bytes),
                                seek_entry(tracks, contents_bytes + information.size()), seek_entry(cues, cues_at));
  seek_position_ = segment_begin_ + contents_bytes - 8;
  // Info ends with the two names; the duration's 8 bytes stand before them.
  const std::size_t names_bytes = text(muxing_app, "isocenter").size() + text(writing_app, "isocenter").size();
  duration_position_ = segment_begin_ + contents_bytes + information.size() - names_bytes - 8;
  reserved_begin_ = segment_begin_ + cues_at;

  append(start, contents);
  append(start, information);
  append(start, description);
  append(start, blank(reserved_for_cues));
  file_.write(start);
}

std::uint64_t WebmWriter::time_ms(std::int64_t frame) const {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(frame) * period_s_ * 1000));
}

void WebmWriter::add(std::span<const std::byte> packet, bool is_key_frame) {
  const std::uint64_t now_ms = time_ms(frames_);
  if (!cluster_.empty() && (is_key_frame || now_ms - cluster_start_ms_ >= longest_cluster_ms)) write_cluster();
  if (cluster_.empty()) {
    cluster_start_ms_ = now_ms;
    if (is_key_frame) cues_.push_back({now_ms, file_.size() - segment_begin_});
  }
  append_id(cluster_, simple_block);
  append_size(cluster_, packet.size() + 4);
  append_size(cluster_, 1);  // the track's number, coded as sizes are
  append_big_endian(cluster_, now_ms - cluster_start_ms_, 2);
  cluster_.push_back(is_key_frame ? std::byte{0x80} : std::byte{0});
  append(cluster_, packet);
  ++frames_;
}

void WebmWriter::write_cluster() {
  const Bytes start = number(timestamp, cluster_start_ms_);
  Bytes head;
  append_id(head, cluster);
  append_size(head, start.size() + cluster_.size());
  append(head, start);
  file_.write(head);
  file_.write(cluster_);
  cluster_.clear();
}

std::vector<std::byte> WebmWriter::cues_element() const {
  Bytes points;
  for (const Cue& cue : cues_)
    append(points,
           master(cue_point, number(cue_time, cue.time_ms),
                  master(cue_track_positions, number(cue_track, 1), number(cue_cluster_position, cue.position))));
  return element(cues, points);
}

void WebmWriter::write_cues() {
  Bytes list = cues_element();
  if (list.size() + 9 <= reserved_for_cues) {
    append(list, blank(reserved_for_cues - list.size()));
    file_.overwrite(reserved_begin_, list);
    return;
  }
  Bytes position;
  append_big_endian(position, file_.size() - segment_begin_, 8);
  file_.overwrite(seek_position_, position);
  file_.write(list);
}

void WebmWriter::finish() {
  if (!cluster_.empty()) write_cluster();
  write_cues();
  Bytes length_ms, size;
  append_big_endian(length_ms, std::bit_cast<std::uint64_t>(static_cast<double>(frames_) * period_s_ * 1000), 8);
  file_.overwrite(duration_position_, length_ms);
  append_size8(size, file_.size() - segment_begin_);
  file_.overwrite(segment_begin_ - 8, size);
  file_.commit();
}

}  // namespace isocenter::detail::io
