#include "rle.hpp"

#include <algorithm>
#include <cstring>

namespace isocenter::detail::dicom {
namespace {

std::uint32_t u32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8U |
         static_cast<std::uint32_t>(p[2]) << 16U | static_cast<std::uint32_t>(p[3]) << 24U;
}

/// PackBits (PS3.5 G.3.1): a byte n below 128 precedes n + 1 bytes as they are, one above 128 a byte that stands 257 -
/// n times. Every `stride`-th byte of `to` is written, `count` of them; false when the segment ends before.
bool unpack(std::span<const std::uint8_t> from, std::uint8_t* to, std::size_t stride, std::size_t count) {
  std::size_t at = 0;
  while (count > 0) {
    if (at >= from.size()) return false;
    const unsigned n = from[at++];
    if (n == 128) continue;
    if (n < 128) {
      const std::size_t run = std::min<std::size_t>(n + 1, count);
      if (run > from.size() - at) return false;
      if (stride == 1)
        std::memcpy(to, from.data() + at, run);
      else
        for (std::size_t i = 0; i < run; ++i) to[i * stride] = from[at + i];
      at += n + 1;
      to += run * stride;
      count -= run;
      continue;
    }
    if (at >= from.size()) return false;
    const std::size_t run = std::min<std::size_t>(257 - n, count);
    const std::uint8_t value = from[at++];
    if (stride == 1)
      std::memset(to, value, run);
    else
      for (std::size_t i = 0; i < run; ++i) to[i * stride] = value;
    to += run * stride;
    count -= run;
  }
  return true;
}

}  // namespace

std::string decode_rle(std::span<const std::uint8_t> from, int samples, int bytes_per_sample,
                       std::span<std::uint8_t> to) {
  constexpr std::size_t header_bytes = 64;
  if (from.size() < header_bytes) return "the frame is shorter than its RLE header of 64 bytes";
  const auto segments = static_cast<std::size_t>(samples) * static_cast<std::size_t>(bytes_per_sample);
  if (u32(from.data()) != segments || segments > 15)
    return "the RLE header announces " + std::to_string(u32(from.data())) + " segments, SamplesPerPixel and " +
           "BitsAllocated ask for " + std::to_string(segments);
  const std::size_t pixels = to.size() / segments;
  const auto bytes = static_cast<std::size_t>(bytes_per_sample);
  for (std::size_t s = 0; s < segments; ++s) {
    const std::size_t begin = u32(from.data() + 4 + 4 * s);
    const std::size_t end = s + 1 < segments ? u32(from.data() + 8 + 4 * s) : from.size();
    if (begin < header_bytes || end < begin || end > from.size())
      return "RLE segment " + std::to_string(s + 1) + " lies outside the frame";
    // The most significant byte of a sample comes first.
    const std::size_t place = s / bytes * bytes + (bytes - 1 - s % bytes);
    if (!unpack(from.subspan(begin, end - begin), to.data() + place, segments, pixels))
      return "RLE segment " + std::to_string(s + 1) + " ends before its " + std::to_string(pixels) + " bytes";
  }
  return {};
}

}  // namespace isocenter::detail::dicom
