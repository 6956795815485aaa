#pragma once
// How much memory decoding a JPEG 2000 codestream takes, from its marker segments, before anything is allocated for it.
#include <cstdint>
#include <span>

#include "jpeg2000.hpp"

namespace isocenter::detail::dicom {

/// What jpeg2000_demand gives where no bound can be given: more than any memory.
inline constexpr std::uint64_t unbounded_jpeg2000_demand = std::uint64_t{1} << 62U;

/// Bytes that either decoder may hold for a frame of this size besides the frame and the codestream given: what SIZ,
/// COD and COC of the main header and of the tile-parts ask for, as far as they lie in `codestream`, which may be cut
/// short behind any byte. unbounded_jpeg2000_demand: without SIZ where a decoder looks for it
/// (in a JP2 file: in the box jp2c), with more than 64 different codings, or with a marker in the main header that not
/// every decoder steps over alike. `codestream_bytes` are those of all of it. Measured with OpenJPEG 2.5.0, which takes
/// more than ours: 448 bytes a code-block, 112 and 3 tag trees a precinct, 9 KiB a tile; tests/dicom/jpeg2000_test.cpp
/// holds both to it.
std::uint64_t jpeg2000_demand(std::span<const std::uint8_t> codestream, const Jpeg2000Frame& frame,
                              std::uint64_t codestream_bytes);

/// What a plan declares for a codestream whose header begins so: its demand, but at least that of usual code-blocks,
/// and no more than is allowed to any codestream.
std::uint64_t jpeg2000_working_bytes(std::span<const std::uint8_t> header, const Jpeg2000Frame& frame,
                                     std::uint64_t codestream_bytes);

/// More than this no codestream gets: code-blocks of 4 x 4 samples fit, tiles and precincts of a few samples do not.
std::uint64_t jpeg2000_most_bytes(const Jpeg2000Frame& frame, std::uint64_t codestream_bytes);

}  // namespace isocenter::detail::dicom
