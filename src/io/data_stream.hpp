#pragma once
// The bytes of a data block in a file, inflated where they are compressed.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "file_access.hpp"

namespace isocenter::detail::io {

/// Where in which file a block of data lies.
struct DataLocation {
  std::filesystem::path file;
  std::uint64_t offset = 0;    ///< in the file
  bool is_compressed = false;  ///< zlib or gzip
  std::uint64_t skip = 0;      ///< bytes of the (inflated) block to leave out first
  std::uint64_t bytes = 0;     ///< then so many
  bool is_big_endian = false;
};

/// Reads a block from its start to its end. Checksums are checked by finish().
/// Errors: bad_data when the file is too short or its compressed data are damaged, with how far it went.
class DataStream {
 public:
  explicit DataStream(const DataLocation& location);
  ~DataStream();
  /// The next out.size() bytes.
  void read(std::span<std::byte> out);
  /// After the last byte: reads what follows in the compressed stream, up to its checksum.
  void finish();

 private:
  struct Inflater;
  std::size_t inflate_some(std::span<std::byte> out);
  void skip(std::uint64_t bytes);
  [[noreturn]] void fail_truncated() const;

  DataLocation location_;
  InputFile file_;
  std::uint64_t file_position_;
  std::uint64_t delivered_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace isocenter::detail::io
