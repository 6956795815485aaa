#pragma once
// The bytes of a video's stream: the fragments of PixelData (7FE0,0010), put together as they are read.
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "../image.hpp"
#include "../input_file.hpp"

namespace isocenter::detail::dicom {

/// What is wrong with a stream, as the end of a sentence; who asked for a frame adds file and frame.
struct StreamError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class StreamBytes {
 public:
  /// Throws StreamError when the file cannot be opened.
  StreamBytes(const std::string& path, std::vector<ByteRange> fragments);

  std::uint64_t size() const { return starts_.back(); }
  /// Throws StreamError when [at, at + to.size()) is not inside the stream or cannot be read.
  void read(std::uint64_t at, std::span<std::uint8_t> to);
  /// Big endian.
  std::uint32_t u32(std::uint64_t at);
  std::uint64_t u64(std::uint64_t at);

 private:
  void copy(std::uint64_t at, std::span<std::uint8_t> to) const;

  InputFile file_;
  std::vector<ByteRange> fragments_;
  std::vector<std::uint64_t> starts_;  ///< of each fragment in the stream; the stream's size closes the last
  std::vector<std::uint8_t> window_;   ///< bytes from window_at_ on, for small reads
  std::uint64_t window_at_ = 0;
};

}  // namespace isocenter::detail::dicom
