#include "data_sink.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <vector>

namespace isocenter::detail::io {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::size_t dictionary_bytes = std::size_t{1} << 15;  // deflate's window
constexpr int level = 2;                                        // measured: docs/io/README.md

using Bytes = std::vector<std::byte>;

Bytef* zlib_bytes(std::byte* p) { return reinterpret_cast<Bytef*>(p); }

/// One piece on its way: filled and deflated on some thread, then written in its turn.
struct Piece {
  Bytes plain;  ///< the dictionary, then the piece
  Bytes deflated;
  std::size_t dictionary = 0;
  uLong checksum = 0;
  std::exception_ptr error;

  std::span<std::byte> content() { return std::span(plain).subspan(dictionary); }
};

/// Deflates without an envelope; all but the last piece end on a byte, so that pieces can be joined.
void deflate_piece(Piece& piece, bool is_last) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  if (piece.dictionary > 0)
    deflateSetDictionary(&z, zlib_bytes(piece.plain.data()), static_cast<uInt>(piece.dictionary));
  const std::span<std::byte> content = piece.content();
  piece.deflated.resize(deflateBound(&z, static_cast<uLong>(content.size())) + 16);
  z.next_in = zlib_bytes(content.data());
  z.avail_in = static_cast<uInt>(content.size());
  z.next_out = zlib_bytes(piece.deflated.data());
  z.avail_out = static_cast<uInt>(piece.deflated.size());
  deflate(&z, is_last ? Z_FINISH : Z_SYNC_FLUSH);
  piece.deflated.resize(z.total_out);
  deflateEnd(&z);
}

uLong checksum_of(Envelope envelope, std::span<std::byte> bytes) {
  const auto size = static_cast<uInt>(bytes.size());
  return envelope == Envelope::gzip ? crc32(0, zlib_bytes(bytes.data()), size)
                                    : adler32(1, zlib_bytes(bytes.data()), size);
}

uLong joined(Envelope envelope, uLong checksum, const Piece& piece, std::size_t bytes) {
  const auto size = static_cast<z_off_t>(bytes);
  return envelope == Envelope::gzip ? crc32_combine(checksum, piece.checksum, size)
                                    : adler32_combine(checksum, piece.checksum, size);
}

void write_bytes(StagedFile& file, std::initializer_list<unsigned> bytes) {
  std::array<std::byte, 16> out{};
  std::size_t n = 0;
  for (const unsigned b : bytes) out[n++] = static_cast<std::byte>(b & 0xFF);
  file.write(std::span(out).first(n));
}

void write_head(StagedFile& file, Envelope envelope) {
  constexpr unsigned no_date = 0, no_flags = 0, any_system = 255;
  if (envelope == Envelope::gzip)
    write_bytes(file, {0x1F, 0x8B, Z_DEFLATED, no_flags, no_date, no_date, no_date, no_date, 0, any_system});
  if (envelope == Envelope::zlib) write_bytes(file, {0x78, 0x5E});
}

void write_tail(StagedFile& file, Envelope envelope, uLong checksum, std::uint64_t bytes) {
  const auto c = static_cast<unsigned>(checksum), n = static_cast<unsigned>(bytes);
  if (envelope == Envelope::gzip) write_bytes(file, {c, c >> 8, c >> 16, c >> 24, n, n >> 8, n >> 16, n >> 24});
  if (envelope == Envelope::zlib) write_bytes(file, {c >> 24, c >> 16, c >> 8, c});
}

std::int64_t pieces_at_once(const isocenter_launcher& launcher) { return 2 * std::max(1, launcher.concurrency); }

}  // namespace

void write_block(StagedFile& file, Envelope envelope, std::uint64_t bytes, const ByteSource& source,
                 const isocenter_launcher& launcher, const WriteProgress& progress) {
  std::vector<Piece> pieces(static_cast<std::size_t>(pieces_at_once(launcher)));
  const std::uint64_t count = std::max<std::uint64_t>(1, (bytes + piece_bytes - 1) / piece_bytes);
  const auto piece_size = [&](std::uint64_t n) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, bytes - n * piece_bytes));
  };

  const auto prepare = [&](Piece& piece, std::uint64_t n) {
    const bool is_compressed = envelope != Envelope::none;
    piece.dictionary = is_compressed && n > 0 ? dictionary_bytes : 0;
    piece.plain.resize(piece.dictionary + piece_size(n));
    source(n * piece_bytes - piece.dictionary, piece.plain);
    if (!is_compressed) return;
    piece.checksum = checksum_of(envelope, piece.content());
    deflate_piece(piece, n + 1 == count);
  };

  write_head(file, envelope);
  uLong checksum = envelope == Envelope::zlib ? 1 : 0;
  for (std::uint64_t first = 0; first < count; first += pieces.size()) {
    progress(static_cast<double>(first) / static_cast<double>(count));
    const std::uint64_t here = std::min<std::uint64_t>(pieces.size(), count - first);
    // No exception may cross the embedder's threads: each piece keeps its own.
    auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        Piece& piece = pieces[static_cast<std::size_t>(i)];
        try {
          prepare(piece, first + static_cast<std::uint64_t>(i));
        } catch (...) {
          piece.error = std::current_exception();
        }
      }
    };
    launcher.parallel_for(
        launcher.pool, static_cast<std::int64_t>(here), 1,
        [](void* data, std::int64_t begin, std::int64_t end) { (*static_cast<decltype(body)*>(data))(begin, end); },
        &body);
    for (std::uint64_t i = 0; i < here; ++i) {
      Piece& piece = pieces[i];
      if (piece.error != nullptr) std::rethrow_exception(piece.error);
      checksum = joined(envelope, checksum, piece, piece.content().size());
      file.write(envelope == Envelope::none ? std::span<const std::byte>(piece.content()) : piece.deflated);
    }
  }
  write_tail(file, envelope, checksum, bytes);
}

std::uint64_t block_sink_bytes(const isocenter_launcher& launcher) {
  constexpr std::uint64_t deflate_state = 270U << 10;
  return static_cast<std::uint64_t>(pieces_at_once(launcher)) * (2 * piece_bytes + dictionary_bytes + deflate_state);
}

}  // namespace isocenter::detail::io
