#include "nal_source.hpp"

#include <algorithm>
#include <cstring>

#include "byte_stream.hpp"
#include "mp4_source.hpp"
#include "transport_stream.hpp"

namespace isocenter::detail::dicom {

std::unique_ptr<NalSource> open_nal_source(StreamBytes& bytes, std::size_t largest_nal) {
  std::uint8_t head[8] = {};
  bytes.read(0, {head, std::min<std::size_t>(8, bytes.size())});
  for (const char* box : {"ftyp", "moov", "mdat", "free", "skip", "wide"})
    if (std::memcmp(head + 4, box, 4) == 0) return std::make_unique<Mp4Source>(bytes, largest_nal);
  if (head[0] == TransportStream::sync_byte) return std::make_unique<TransportStream>(bytes, largest_nal);
  const bool start_code = head[0] == 0 && head[1] == 0 && (head[2] == 1 || (head[2] == 0 && head[3] == 1));
  const std::uint8_t after = head[2] == 1 ? head[3] : head[4];
  if (start_code && after == 0xBA) throw StreamError("the stream is an MPEG program stream, which is not read");
  if (start_code) return std::make_unique<ByteStream>(bytes, largest_nal);
  throw StreamError(
      "the stream is no MP4 file (ISO/IEC 14496-12), no transport stream (ISO/IEC 13818-1) and no byte "
      "stream (ISO/IEC 14496-10 annex B)");
}

}  // namespace isocenter::detail::dicom
