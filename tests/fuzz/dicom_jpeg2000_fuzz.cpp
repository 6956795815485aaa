// Any bytes as a JPEG 2000 codestream for our own decoder and for what bounds both decoders' memory, in a frame of the
// size that they claim.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dicom/jpeg2000_demand.hpp"
#include "dicom/jpeg2000_part1.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace isocenter::detail::dicom;
  if (count < 43) return 0;
  const auto number = [&](int at) {  // the lower half of one of the SIZ segment's
    return static_cast<int>(bytes[at + 2]) << 8 | static_cast<int>(bytes[at + 3]);
  };
  Jpeg2000Frame frame;
  frame.columns = number(8) - number(16);
  frame.rows = number(12) - number(20);
  frame.samples_per_pixel = number(38);
  frame.bits_allocated = (bytes[42] & 0x7F) < 8 ? 8 : 16;
  if (frame.columns < 1 || frame.rows < 1 || std::int64_t{frame.columns} * frame.rows > 65536) return 0;
  if (frame.samples_per_pixel < 1 || frame.samples_per_pixel > 4) return 0;
  std::vector<std::uint8_t> to(static_cast<std::size_t>(frame.columns) * static_cast<std::size_t>(frame.rows) *
                               static_cast<std::size_t>(frame.samples_per_pixel * frame.bits_allocated / 8));
  jpeg2000_demand({bytes, count}, frame, count);
  decode_jpeg2000_part1({bytes, count}, frame, to);
  return 0;
}
