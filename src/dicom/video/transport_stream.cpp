#include "transport_stream.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr unsigned stream_type_h264 = 0x1B, stream_type_hevc = 0x24;  // ISO/IEC 13818-1, table 2-34

unsigned u16(const std::uint8_t* p) { return static_cast<unsigned>(p[0]) << 8 | p[1]; }

}  // namespace

TransportStream::TransportStream(StreamBytes& bytes, std::size_t largest_nal) : bytes_(bytes), splitter_(largest_nal) {
  find_video();
  at_ = 0;
}

/// ISO/IEC 13818-1, 2.4.3.2. False at the end, where less than a packet of padding may stand.
bool TransportStream::next_packet(Packet& packet) {
  const std::uint64_t left = bytes_.size() - at_;
  if (left < sizeof packet_) {
    std::uint8_t byte[1] = {};
    if (left > 0) bytes_.read(at_, byte);
    if (left > 1 || byte[0] != 0)
      throw StreamError("the transport stream ends inside a packet, " + std::to_string(left) + " of 188 bytes");
    return false;
  }
  bytes_.read(at_, packet_);
  const std::string place = " of the transport stream at byte " + std::to_string(at_);
  at_ += sizeof packet_;
  if (packet_[0] != sync_byte) throw StreamError("the packet" + place + " does not begin with 0x47");
  if ((packet_[1] & 0x80U) != 0) throw StreamError("the packet" + place + " is marked as damaged");
  packet = {};
  packet.starts = (packet_[1] & 0x40U) != 0;
  packet.pid = u16(packet_ + 1) & 0x1FFFU;
  packet.counter = packet_[3] & 0xFU;
  const bool has_adaptation = (packet_[3] & 0x20U) != 0, has_payload = (packet_[3] & 0x10U) != 0;
  std::size_t begin = 4;
  if (has_adaptation) {
    begin += 1U + packet_[4];
    packet.discontinuity = packet_[4] > 0 && (packet_[5] & 0x80U) != 0;
  }
  if (begin > sizeof packet_) throw StreamError("the adaptation field" + place + " is longer than its packet");
  if (has_payload && (packet_[3] & 0xC0U) != 0) throw StreamError("the packet" + place + " is scrambled");
  if (has_payload) packet.payload = {packet_ + begin, sizeof packet_ - begin};
  return true;
}

std::vector<std::uint8_t> TransportStream::section(unsigned pid, std::uint8_t table, const char* name) {
  Packet packet;
  std::vector<std::uint8_t> bytes;
  bool inside = false;
  for (at_ = 0; next_packet(packet);) {
    if (packet.pid != pid || packet.payload.empty()) continue;
    if (packet.starts) {
      const std::size_t pointer = packet.payload[0];
      if (pointer + 1 >= packet.payload.size()) throw StreamError(std::string(name) + " begins beyond its packet");
      bytes.clear();
      packet.payload = packet.payload.subspan(pointer + 1);
      inside = true;
    }
    if (!inside) continue;
    bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
    if (bytes.size() < 3) continue;
    if (bytes[0] != table) {
      inside = false;
      continue;
    }
    const std::size_t length = u16(bytes.data() + 1) & 0xFFFU;
    if (length > 1021) throw StreamError(std::string(name) + " announces " + std::to_string(length) + " bytes");
    if (bytes.size() < 3 + length) continue;
    bytes.resize(3 + length);
    return bytes;
  }
  throw StreamError("the transport stream has no " + std::string(name));
}

/// The program association table (2.4.4.3) names the program's map, the map (2.4.4.8) its streams.
void TransportStream::find_video() {
  constexpr std::size_t checksum = 4;
  const auto programs = section(0, 0, "program association table");
  unsigned map_pid = 0;
  for (std::size_t at = 8; at + 4 + checksum <= programs.size() && map_pid == 0; at += 4)
    if (u16(programs.data() + at) != 0) map_pid = u16(programs.data() + at + 2) & 0x1FFFU;
  if (map_pid == 0) throw StreamError("the transport stream has no program");
  const auto map = section(map_pid, 2, "program map table");
  if (map.size() < 12 + checksum) throw StreamError("the program map table is too short");
  std::string found;
  for (std::size_t at = 12 + (u16(map.data() + 10) & 0xFFFU); at + 5 + checksum <= map.size();
       at += 5 + (u16(map.data() + at + 3) & 0xFFFU)) {
    const unsigned type = map[at];
    if (type == stream_type_h264 || type == stream_type_hevc) {
      codec_ = type == stream_type_h264 ? VideoCodec::h264 : VideoCodec::hevc;
      video_pid_ = u16(map.data() + at + 1) & 0x1FFFU;
      return;
    }
    found += (found.empty() ? "" : ", ") + std::to_string(type);
  }
  throw StreamError("the transport stream has no H.264 (27) or HEVC (36) stream; its types are " +
                    (found.empty() ? "none" : found));
}

/// Whether the packet is the one before once more (2.4.3.3). Throws when one is missing between the two.
bool TransportStream::is_repeated(const Packet& packet) {
  const int last = last_counter_;
  last_counter_ = static_cast<int>(packet.counter);
  if (last < 0 || packet.discontinuity || packet.counter == ((static_cast<unsigned>(last) + 1) & 0xFU)) return false;
  if (packet.counter == static_cast<unsigned>(last)) return true;
  throw StreamError("packets of the video are missing from the transport stream before byte " +
                    std::to_string(at_ - sizeof packet_));
}

/// What follows a packetised elementary stream's header (2.4.3.6), which may come in pieces.
std::span<const std::uint8_t> TransportStream::without_pes_header(std::span<const std::uint8_t> payload) {
  constexpr std::size_t fixed_bytes = 9;
  while (!header_complete_ && !payload.empty()) {
    pes_header_.push_back(payload[0]);
    payload = payload.subspan(1);
    if (pes_header_.size() < fixed_bytes) continue;
    if (pes_header_[0] != 0 || pes_header_[1] != 0 || pes_header_[2] != 1)
      throw StreamError("a packet of the video's elementary stream does not begin with 00 00 01");
    header_complete_ = pes_header_.size() == fixed_bytes + pes_header_[8];
  }
  return payload;
}

bool TransportStream::next(std::vector<std::uint8_t>& nal) {
  for (;;) {
    while (!left_.empty()) {
      left_ = left_.subspan(splitter_.take(left_));
      if (splitter_.is_complete() && splitter_.give(nal)) return true;
    }
    Packet packet;
    do
      if (!next_packet(packet)) return splitter_.give(nal);
    while (packet.pid != video_pid_ || packet.payload.empty() || is_repeated(packet));
    if (packet.starts) {
      in_pes_ = true;
      pes_header_.clear();
      header_complete_ = false;
    }
    if (in_pes_) left_ = without_pes_header(packet.payload);
  }
}

}  // namespace isocenter::detail::dicom
