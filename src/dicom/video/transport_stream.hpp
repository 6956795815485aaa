#pragma once
// The video of an MPEG-2 transport stream: ISO/IEC 13818-1, 2.4.
#include "byte_stream.hpp"

namespace isocenter::detail::dicom {

/// The first H.264 or HEVC stream of the first program. A lost packet, a scrambled one or one marked as wrong is an
/// error: what it held would be missing from the pictures.
class TransportStream final : public NalSource {
 public:
  static constexpr std::uint8_t sync_byte = 0x47;

  TransportStream(StreamBytes& bytes, std::size_t largest_nal);
  bool next(std::vector<std::uint8_t>& nal) override;
  std::optional<VideoCodec> codec() const override { return codec_; }

 private:
  struct Packet {
    unsigned pid = 0, counter = 0;
    bool starts = false;         ///< payload_unit_start_indicator
    bool discontinuity = false;  ///< discontinuity_indicator
    std::span<const std::uint8_t> payload;
  };

  bool next_packet(Packet& packet);
  void find_video();
  /// The section of a table that begins in the payload of packets of `pid`, from its table_id on.
  std::vector<std::uint8_t> section(unsigned pid, std::uint8_t table, const char* name);
  bool is_repeated(const Packet& packet);
  std::span<const std::uint8_t> without_pes_header(std::span<const std::uint8_t> payload);

  StreamBytes& bytes_;
  std::uint64_t at_ = 0;
  std::uint8_t packet_[188] = {};
  unsigned video_pid_ = 0;
  std::optional<VideoCodec> codec_;
  int last_counter_ = -1;
  bool in_pes_ = false;
  std::vector<std::uint8_t> pes_header_;
  bool header_complete_ = false;
  std::span<const std::uint8_t> left_;  ///< of the packet's payload
  StartCodeSplitter splitter_;
};

}  // namespace isocenter::detail::dicom
