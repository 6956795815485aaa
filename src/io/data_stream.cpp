#include "data_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <isocenter/error.hpp>
#include <new>
#include <string>

namespace isocenter::detail::io {
namespace {
constexpr unsigned char gzip_magic = 0x1f;  // the first byte of a gzip member; a zlib stream begins with 0x78
}

struct DataStream::Inflater {
  Inflater() : input(std::size_t{1} << 18) {
    constexpr int zlib_or_gzip = 32 + MAX_WBITS;
    if (inflateInit2(&z, zlib_or_gzip) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&z); }
  z_stream z{};
  std::vector<std::byte> input;
  bool is_gzip = false;
  bool is_at_end = false;  ///< of the compressed stream, its checksum found right
};

DataStream::DataStream(const DataLocation& location)
    : location_(location), file_(location.file), file_position_(location.offset) {
  if (location.is_compressed) {
    inflater_ = std::make_unique<Inflater>();
    skip(location.skip);
  } else {
    file_position_ += location.skip;
    if (file_.size() < file_position_ || file_.size() - file_position_ < location.bytes) {
      delivered_ = file_.size() - std::min(file_.size(), file_position_);
      fail_truncated();
    }
  }
}

DataStream::~DataStream() = default;

void DataStream::read(std::span<std::byte> out) {
  if (inflater_ == nullptr) {
    if (file_.read(file_position_, out) != out.size()) fail_truncated();
    file_position_ += out.size();
    delivered_ += out.size();
    return;
  }
  while (!out.empty()) {
    const std::size_t n = inflate_some(out);
    if (n == 0) fail_truncated();
    delivered_ += n;
    out = out.subspan(n);
  }
}

void DataStream::skip(std::uint64_t bytes) {
  std::byte nowhere[4096];
  while (bytes > 0) {
    const std::size_t n =
        inflate_some({nowhere, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof nowhere))});
    if (n == 0) fail_truncated();
    bytes -= n;
  }
}

void DataStream::finish() {
  if (inflater_ == nullptr) return;
  std::byte nowhere[4096];
  while (inflate_some(nowhere) > 0) {
  }
  if (!inflater_->is_at_end) fail_truncated();
}

/// Inflates at least one byte into `out`; 0 when the compressed stream or the file has ended. Further gzip members that
/// follow the first (RFC 1952, section 2.2) belong to the data.
std::size_t DataStream::inflate_some(std::span<std::byte> out) {
  z_stream& z = inflater_->z;
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30));
  const uInt wanted = z.avail_out;
  while (z.avail_out == wanted) {
    if (z.avail_in == 0) {
      const std::size_t n = file_.read(file_position_, inflater_->input);
      if (n == 0) return 0;
      if (file_position_ == location_.offset) inflater_->is_gzip = inflater_->input[0] == std::byte{gzip_magic};
      file_position_ += n;
      z.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
      z.avail_in = static_cast<uInt>(n);
    }
    if (inflater_->is_at_end) {
      if (!inflater_->is_gzip || *z.next_in != gzip_magic) return 0;  // padding
      inflateReset(&z);
      inflater_->is_at_end = false;
    }
    const int status = inflate(&z, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_STREAM_END) inflater_->is_at_end = true;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      throw Failure(ErrorCode::bad_data,
                    "the compressed data of '" + file_.path().string() + "' are damaged after " +
                        std::to_string(delivered_) + " of " + std::to_string(location_.bytes) + " bytes (" +
                        (z.msg == nullptr ? "wrong checksum" : z.msg) + ")",
                    "get an undamaged copy of it");
  }
  return wanted - z.avail_out;
}

void DataStream::fail_truncated() const {
  throw Failure(ErrorCode::bad_data,
                "'" + file_.path().string() + "' is truncated: " + std::to_string(location_.bytes) +
                    " bytes are needed after its header and it holds " + std::to_string(delivered_),
                "get a complete copy of it");
}

}  // namespace isocenter::detail::io
