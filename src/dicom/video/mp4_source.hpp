#pragma once
// The video track of an MP4 file: ISO/IEC 14496-12 (boxes, sample tables), ISO/IEC 14496-15 (NAL units in samples).
#include "nal_source.hpp"

namespace isocenter::detail::dicom {

/// Reads the tables where they lie in the file, entry by entry: memory does not grow with what they announce.
/// Fragmented files (moof), several sample descriptions and other codecs are refused by name. Edit lists are passed
/// over: each sample is a picture of the object.
class Mp4Source final : public NalSource {
 public:
  Mp4Source(StreamBytes& bytes, std::size_t largest_nal);
  bool next(std::vector<std::uint8_t>& nal) override;
  std::optional<VideoCodec> codec() const override { return codec_; }
  std::optional<std::uint64_t> pictures() const override { return samples_; }

 private:
  struct Box {
    std::uint32_t type = 0;
    std::uint64_t begin = 0, end = 0;  ///< of its contents
  };
  /// A full box of equal entries: version and flags, `skipped` bytes, a count, entries.
  struct Table {
    std::uint64_t first = 0;
    std::uint32_t count = 0;
  };

  bool next_box(std::uint64_t& at, std::uint64_t end, Box& box);
  std::optional<Box> find(const Box& in, std::uint32_t type);
  Box require(const Box& in, std::uint32_t type);
  Table table(const Box& box, unsigned skipped, unsigned entry_bytes);
  bool is_video(const Box& track);
  void read_description(const Box& stsd);
  void read_avc_configuration(const Box& box);
  void read_hevc_configuration(const Box& box);
  std::uint64_t take_parameter_set(std::uint64_t at, std::uint64_t end);
  static constexpr std::size_t most_sets = 512;  ///< H.264 tells 288 apart, HEVC 96
  void next_sample();
  void next_chunk();

  StreamBytes& bytes_;
  std::size_t largest_nal_;
  VideoCodec codec_ = VideoCodec::h264;
  unsigned length_bytes_ = 4;
  std::vector<std::vector<std::uint8_t>> parameter_sets_;
  std::size_t given_sets_ = 0;
  std::uint64_t set_bytes_ = 0;  ///< of the parameter sets together

  std::uint64_t samples_ = 0;
  std::uint32_t constant_size_ = 0;
  Table sizes_, chunks_, runs_;  ///< stsz, stco or co64, stsc
  bool wide_offsets_ = false;
  std::uint64_t sample_ = 0;         ///< the next to be read
  std::uint32_t chunk_ = 0;          ///< chunks begun
  std::uint32_t run_ = 0;            ///< entry of stsc that holds for the chunk
  std::uint64_t left_in_chunk_ = 0;  ///< samples
  std::uint64_t at_ = 0;             ///< of the next sample
  std::uint64_t unit_at_ = 0, sample_end_ = 0;
};

}  // namespace isocenter::detail::dicom
