#include "stream_bytes.hpp"

#include <algorithm>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint64_t window_bytes = 65536;

}  // namespace

StreamBytes::StreamBytes(const std::string& path, std::vector<ByteRange> fragments)
    : file_(path), fragments_(std::move(fragments)) {
  if (!file_.is_open()) throw StreamError("the file cannot be opened any more: " + file_.error());
  std::uint64_t total = 0;
  for (const ByteRange& fragment : fragments_) {
    starts_.push_back(total);
    total += fragment.length;
  }
  starts_.push_back(total);
}

void StreamBytes::copy(std::uint64_t at, std::span<std::uint8_t> to) const {
  auto fragment = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), at) - starts_.begin() - 1);
  for (; !to.empty(); ++fragment) {
    const std::uint64_t skipped = at - starts_[fragment];
    const std::size_t count = std::min<std::uint64_t>(to.size(), fragments_[fragment].length - skipped);
    if (!file_.read(fragments_[fragment].offset + skipped, to.first(count)))
      throw StreamError("the file has become shorter while it was read");
    to = to.subspan(count);
    at += count;
  }
}

void StreamBytes::read(std::uint64_t at, std::span<std::uint8_t> to) {
  if (at > size() || to.size() > size() - at)
    throw StreamError("the stream ends after " + std::to_string(size()) + " bytes, " + std::to_string(to.size()) +
                      " are needed at byte " + std::to_string(at));
  if (to.size() >= window_bytes) return copy(at, to);
  if (at < window_at_ || at + to.size() > window_at_ + window_.size()) {
    window_at_ = at;
    window_.resize(std::min(window_bytes, size() - at));
    copy(at, window_);
  }
  std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(at - window_at_), to.size(), to.begin());
}

std::uint32_t StreamBytes::u32(std::uint64_t at) {
  std::uint8_t b[4];
  read(at, b);
  return static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
         static_cast<std::uint32_t>(b[2]) << 8 | b[3];
}

std::uint64_t StreamBytes::u64(std::uint64_t at) { return static_cast<std::uint64_t>(u32(at)) << 32 | u32(at + 4); }

}  // namespace isocenter::detail::dicom
