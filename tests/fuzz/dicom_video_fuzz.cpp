// Any bytes as the stream of a video object, as one fragment and as two: containers and headers are read to their ends,
// as far as a decoder's input. What is wrong with them has to be a StreamError, in bounded memory and time.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dicom/video/h264_headers.hpp"
#include "dicom/video/hevc_headers.hpp"
#include "dicom/video/nal_source.hpp"
#include "fuzz/memory_file.hpp"

namespace {

using namespace isocenter::detail::dicom;
using isocenter::testing::MemoryFile;

constexpr int width = 64, height = 48;  // of the samples

void read_all(const MemoryFile& file, std::vector<ByteRange> fragments) {
  StreamBytes bytes(file.path(), std::move(fragments));
  const auto source = open_nal_source(bytes, largest_coded_picture(width, height));
  H264Headers h264(width, height);
  HevcHeaders hevc(width, height);
  std::vector<std::uint8_t> nal;
  while (source->next(nal)) {
    try {
      h264.read(nal);
    } catch (const StreamError&) {
    }
    try {
      hevc.read(nal);
      hevc_set_name(nal);
    } catch (const StreamError&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const MemoryFile file(bytes, count);
  for (const std::uint64_t cut : {std::uint64_t{0}, std::uint64_t{count / 3}}) {
    try {
      read_all(file, {{0, cut}, {cut, count - cut}});
    } catch (const StreamError&) {
    }
  }
  return 0;
}
