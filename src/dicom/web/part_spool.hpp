#pragma once
// A part of a body that is kept until it is whole: in memory while it is small, else in a file without a name.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

class PartSpool {
 public:
  static constexpr std::size_t most_in_memory = std::size_t{32} << 20U;

  /// The file is made in `folder`, whose disk needs room for one part.
  explicit PartSpool(std::string folder) : folder_(std::move(folder)) {}
  PartSpool(const PartSpool&) = delete;
  PartSpool& operator=(const PartSpool&) = delete;
  ~PartSpool();

  void clear();
  /// Throws Failure(io_error) when the disk is full.
  void append(std::span<const std::uint8_t> data);
  /// All of it, until the next clear() or append(). Throws Failure(io_error).
  std::span<const std::uint8_t> whole();

 private:
  void unmap();

  std::string folder_;
  std::vector<std::uint8_t> memory_;
  int file_ = -1;
  std::size_t file_bytes_ = 0;
  void* mapped_ = nullptr;
};

}  // namespace isocenter::detail::dicom
