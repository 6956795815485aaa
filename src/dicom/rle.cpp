#include "rle.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace isocenter::detail::dicom {
namespace {

std::uint32_t u32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8U |
         static_cast<std::uint32_t>(p[2]) << 16U | static_cast<std::uint32_t>(p[3]) << 24U;
}

constexpr std::size_t chunk = 16;               // copied at once, also where a run is shorter
constexpr std::size_t overshoot = 128 + chunk;  // bytes behind a plane's end that its last run may touch

/// PackBits (PS3.5 G.3.1): a byte n below 128 precedes n + 1 bytes as they are, one above 128 a byte that stands 257 -
/// n times. Writes `count` bytes, and anything into up to `overshoot` behind; false when the segment ends before.
bool unpack(std::span<const std::uint8_t> from, std::uint8_t* to, std::size_t count) {
  const std::uint8_t* at = from.data();
  const std::uint8_t* const end = at + from.size();
  std::uint8_t* const full = to + count;
  while (to < full) {
    if (at == end) return false;
    const unsigned n = *at++;
    if (n == 128) continue;
    if (n < 128) {
      const std::size_t run = n + 1;
      const auto left = static_cast<std::size_t>(end - at);
      if (left >= overshoot) {
        for (std::size_t i = 0; i < run; i += chunk) std::memcpy(to + i, at + i, chunk);
      } else {
        const std::size_t wanted = std::min(run, static_cast<std::size_t>(full - to));
        if (left < wanted) return false;
        std::memcpy(to, at, wanted);
      }
      at += std::min(run, left);
      to += run;
      continue;
    }
    if (at == end) return false;
    const std::size_t run = 257 - n;
    const std::uint8_t value = *at++;
    for (std::size_t i = 0; i < run; i += chunk) std::memset(to + i, value, chunk);
    to += run;
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
  const std::size_t plane_bytes = pixels + overshoot;
  const auto planes = std::make_unique_for_overwrite<std::uint8_t[]>(segments * plane_bytes);
  for (std::size_t s = 0; s < segments; ++s) {
    const std::size_t begin = u32(from.data() + 4 + 4 * s);
    const std::size_t end = s + 1 < segments ? u32(from.data() + 8 + 4 * s) : from.size();
    if (begin < header_bytes || end < begin || end > from.size())
      return "RLE segment " + std::to_string(s + 1) + " lies outside the frame";
    // The most significant byte of a sample comes first.
    const std::size_t place = s / bytes * bytes + (bytes - 1 - s % bytes);
    if (!unpack(from.subspan(begin, end - begin), planes.get() + place * plane_bytes, pixels))
      return "RLE segment " + std::to_string(s + 1) + " ends before its " + std::to_string(pixels) + " bytes";
  }
  if (segments == 2) {  // by far the commonest, and the compiler's shuffles make it one pass
    const std::uint8_t* low = planes.get();
    const std::uint8_t* high = low + plane_bytes;
    for (std::size_t i = 0; i < pixels; ++i) {
      to[2 * i] = low[i];
      to[2 * i + 1] = high[i];
    }
  } else {
    for (std::size_t s = 0; s < segments; ++s)
      for (std::size_t i = 0; i < pixels; ++i) to[i * segments + s] = planes[s * plane_bytes + i];
  }
  return {};
}

}  // namespace isocenter::detail::dicom
