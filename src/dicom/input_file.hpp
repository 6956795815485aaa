#pragma once
// Reading parts of a file, from several threads at once.
#include <cstdint>
#include <span>
#include <string>

namespace isocenter::detail::dicom {

class InputFile {
 public:
  /// Check is_open; error() says why not.
  explicit InputFile(const std::string& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  bool is_open() const { return descriptor_ >= 0; }
  const std::string& error() const { return error_; }
  std::uint64_t size() const { return size_; }
  /// Fills `to` from `offset` on; false when the file ends before or cannot be read.
  bool read(std::uint64_t offset, std::span<std::uint8_t> to) const;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string error_;
};

}  // namespace isocenter::detail::dicom
