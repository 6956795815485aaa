#pragma once
// A data block into a file, deflated on all cores where it shall be compressed.
#include <isocenter/isocenter.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "staged_file.hpp"

namespace isocenter::detail::io {

enum class Envelope { none, gzip, zlib };

/// Fills `out` with the block's bytes from `offset` on. Called from several threads at once; may throw.
using ByteSource = std::function<void(std::uint64_t offset, std::span<std::byte> out)>;
/// Called between pieces with the part that is done, in [0, 1]; may throw to stop.
using WriteProgress = std::function<void(double)>;

/// Appends a block of `bytes` bytes. Compressed, it is one gzip member (RFC 1952) or zlib stream (RFC 1950) whose
/// pieces of 1 MiB were deflated side by side, each with the 32 KiB before it as dictionary; the bytes written do not
/// depend on the number of threads. Memory: block_sink_bytes.
void write_block(StagedFile& file, Envelope envelope, std::uint64_t bytes, const ByteSource& source,
                 const isocenter_launcher& launcher, const WriteProgress& progress);

std::uint64_t block_sink_bytes(const isocenter_launcher& launcher);

}  // namespace isocenter::detail::io
