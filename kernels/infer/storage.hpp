#pragma once
// bfloat16 in memory, float32 in registers: the upper half of a float32's bits, rounded to nearest, ties to even.
#include "core/lanes.hpp"

namespace isocenter::detail {

struct bfloat16 {
  std::uint16_t bits;
};

ISOCENTER_HD float widen(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float r;
  memcpy(&r, &wide, sizeof r);
  return r;
}
ISOCENTER_HD float load(Scalar, const bfloat16* p) { return widen(p->bits); }
ISOCENTER_HD float gather(const bfloat16* p, int i) { return widen(p[i].bits); }
ISOCENTER_HD void store(bfloat16* p, float v) {
  std::uint32_t wide;
  memcpy(&wide, &v, sizeof wide);
  const std::uint32_t rounded = (wide + 0x7fffU + (wide >> 16 & 1U)) >> 16;
  p->bits = static_cast<std::uint16_t>(v == v ? rounded : wide >> 16 | 0x40U);  // a NaN stays one, quiet
}

#if !defined(__CUDACC__)
typedef std::uint16_t half8 __attribute__((vector_size(16)));
typedef std::uint32_t bits8 __attribute__((vector_size(32)));

ISOCENTER_HD float8 widen(half8 bits) {
  const bits8 wide = __builtin_convertvector(bits, bits8) << 16;
  float8 r;
  std::memcpy(&r, &wide, sizeof r);
  return r;
}
ISOCENTER_HD float8 load(Pack8, const bfloat16* p) {
  half8 bits;
  std::memcpy(&bits, p, sizeof bits);
  return widen(bits);
}
ISOCENTER_HD float8 gather(const bfloat16* p, int8 i) {
  half8 bits;
  for (int k = 0; k < 8; ++k) bits[k] = p[i[k]].bits;
  return widen(bits);
}
ISOCENTER_HD void store(bfloat16* p, float8 v) {
  bits8 wide;
  std::memcpy(&wide, &v, sizeof wide);
  const bits8 rounded = (wide + 0x7fffU + (wide >> 16 & 1U)) >> 16;
  const half8 bits = __builtin_convertvector(v == v ? rounded : wide >> 16 | 0x40U, half8);
  std::memcpy(p, &bits, sizeof bits);
}
#endif

/// The name under which a device finds a kernel for these two element types.
template <class In, class Out>
constexpr const char* by_storage(const char* both_float, const char* narrowing, const char* widening,
                                 const char* both_narrow) {
  constexpr bool narrow_in = sizeof(In) == 2, narrow_out = sizeof(Out) == 2;
  return narrow_in ? (narrow_out ? both_narrow : widening) : (narrow_out ? narrowing : both_float);
}

}  // namespace isocenter::detail
