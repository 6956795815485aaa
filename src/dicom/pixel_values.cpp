#include "pixel_values.hpp"

#include <bit>
#include <cstring>
#include <type_traits>

namespace isocenter::detail::dicom {
namespace {

template <class Word>
Word swapped(Word w) {
  if constexpr (sizeof(Word) == 2) return __builtin_bswap16(w);
  if constexpr (sizeof(Word) == 4) return __builtin_bswap32(w);
  if constexpr (sizeof(Word) == 8) return __builtin_bswap64(w);
  return w;
}

/// The stored bits moved to the word's top and back down: one shift each way masks and extends the sign.
template <class Word, bool swap, bool is_signed>
__attribute__((always_inline)) inline void convert(const std::uint8_t* raw, int up, int down, const Rescale& rescale,
                                                   std::span<float> to) {
  using Value = std::conditional_t<is_signed, std::make_signed_t<Word>, Word>;
  const double slope = rescale.slope, intercept = rescale.intercept;
  float* const values = to.data();
  const std::size_t count = to.size();
  for (std::size_t i = 0; i < count; ++i) {
    Word w;
    std::memcpy(&w, raw + i * sizeof(Word), sizeof(Word));
    if constexpr (swap) w = swapped(w);
    const auto stored = static_cast<Value>(static_cast<Value>(static_cast<Word>(w << up)) >> down);
    values[i] = static_cast<float>(slope * static_cast<double>(stored) + intercept);
  }
}

template <class Word>
__attribute__((always_inline)) inline void convert(std::span<const std::uint8_t> raw, const PixelFormat& f, bool swap,
                                                   const Rescale& rescale, std::span<float> to) {
  const int up = f.bits_allocated - 1 - f.high_bit;
  const int down = f.bits_allocated - f.bits_stored;
  if (f.is_signed)
    swap ? convert<Word, true, true>(raw.data(), up, down, rescale, to)
         : convert<Word, false, true>(raw.data(), up, down, rescale, to);
  else
    swap ? convert<Word, true, false>(raw.data(), up, down, rescale, to)
         : convert<Word, false, false>(raw.data(), up, down, rescale, to);
}

void convert_words(std::span<const std::uint8_t> raw, const PixelFormat& f, bool swap, const Rescale& rescale,
                   std::span<float> to) {
  convert<std::uint16_t>(raw, f, swap, rescale, to);
}
#if defined(__x86_64__)
/// The same operations in the same order, eight values at once.
__attribute__((flatten, target("avx2"))) void convert_words_avx2(std::span<const std::uint8_t> raw,
                                                                 const PixelFormat& f, bool swap,
                                                                 const Rescale& rescale, std::span<float> to) {
  convert<std::uint16_t>(raw, f, swap, rescale, to);
}
#endif

/// IEEE 754 values of PS3.3 C.7.6.24 and C.7.6.25.
template <class Value, class Word>
void convert_floats(std::span<const std::uint8_t> raw, bool swap, const Rescale& rescale, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    Word w;
    std::memcpy(&w, raw.data() + i * sizeof(Word), sizeof(Word));
    if (swap) w = swapped(w);
    to[i] = static_cast<float>(rescale.slope * static_cast<double>(std::bit_cast<Value>(w)) + rescale.intercept);
  }
}

}  // namespace

void to_real_values(std::span<const std::uint8_t> raw, const PixelFormat& format, bool big_endian,
                    const Rescale& rescale, std::span<float> to) {
  if (format.values == PixelFormat::Values::float32)
    return convert_floats<float, std::uint32_t>(raw, big_endian, rescale, to);
  if (format.values == PixelFormat::Values::float64)
    return convert_floats<double, std::uint64_t>(raw, big_endian, rescale, to);
  if (format.bits_allocated == 8) convert<std::uint8_t>(raw, format, false, rescale, to);
  if (format.bits_allocated == 16) {
#if defined(__x86_64__)
    static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
    (avx2 ? convert_words_avx2 : convert_words)(raw, format, big_endian, rescale, to);
#else
    convert_words(raw, format, big_endian, rescale, to);
#endif
  }
  if (format.bits_allocated == 32) convert<std::uint32_t>(raw, format, big_endian, rescale, to);
}

}  // namespace isocenter::detail::dicom
