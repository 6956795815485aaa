#pragma once
// NAL units behind start codes, ISO/IEC 14496-10 annex B and ISO/IEC 23008-2 annex B.
#include <span>

#include "nal_source.hpp"

namespace isocenter::detail::dicom {

/// Splits bytes that come in pieces into units. Holds one unit.
class StartCodeSplitter {
 public:
  explicit StartCodeSplitter(std::size_t largest) : largest_(largest) {}

  /// Takes bytes up to the end of a unit: how many it took; is_complete() then tells whether a unit ended.
  std::size_t take(std::span<const std::uint8_t> bytes);
  bool is_complete() const { return complete_; }
  /// The unit that ended, or the last one where no more bytes come; false when there is none.
  bool give(std::vector<std::uint8_t>& nal);

 private:
  std::size_t largest_;
  std::vector<std::uint8_t> unit_;
  unsigned zeros_ = 0;
  bool inside_ = false, complete_ = false;
};

class ByteStream final : public NalSource {
 public:
  ByteStream(StreamBytes& bytes, std::size_t largest_nal) : bytes_(bytes), splitter_(largest_nal) {}
  bool next(std::vector<std::uint8_t>& nal) override;
  std::optional<VideoCodec> codec() const override { return std::nullopt; }

 private:
  StreamBytes& bytes_;
  std::uint64_t at_ = 0;
  StartCodeSplitter splitter_;
};

}  // namespace isocenter::detail::dicom
