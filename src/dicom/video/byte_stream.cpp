#include "byte_stream.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {

std::size_t StartCodeSplitter::take(std::span<const std::uint8_t> bytes) {
  std::size_t i = 0;
  while (i < bytes.size() && !complete_) {
    const std::uint8_t b = bytes[i++];
    if (b == 0) {
      ++zeros_;
      continue;
    }
    if (b == 1 && zeros_ >= 2) {  // a start code; zeros before it belong to no unit
      zeros_ = 0;
      complete_ = inside_;
      inside_ = true;
      continue;
    }
    if (inside_) {
      if (unit_.size() + zeros_ >= largest_)
        throw StreamError("a NAL unit is larger than " + std::to_string(largest_) + " bytes");
      unit_.insert(unit_.end(), zeros_, 0);
      unit_.push_back(b);
    } else if (zeros_ > 0) {
      throw StreamError("bytes stand before the first start code");
    }
    zeros_ = 0;
  }
  return i;
}

bool StartCodeSplitter::give(std::vector<std::uint8_t>& nal) {
  complete_ = false;
  nal.clear();
  std::swap(nal, unit_);
  return !nal.empty();
}

bool ByteStream::next(std::vector<std::uint8_t>& nal) {
  std::uint8_t piece[4096];
  while (at_ < bytes_.size()) {
    const std::span<std::uint8_t> bytes{piece, std::min<std::uint64_t>(sizeof piece, bytes_.size() - at_)};
    bytes_.read(at_, bytes);
    at_ += splitter_.take(bytes);
    if (splitter_.is_complete() && splitter_.give(nal)) return true;
  }
  return splitter_.give(nal);
}

}  // namespace isocenter::detail::dicom
