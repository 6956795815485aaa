#pragma once
// 16-bit numbers in memory, float32 in registers; rounded to nearest, ties to even. bfloat16 is the upper half of a
// float32's bits, float16 IEEE 754's binary16.
#include <type_traits>

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

struct float16 {
  std::uint16_t bits;
};

ISOCENTER_HD float widen_half(std::uint16_t bits) {
#if defined(__CUDA_ARCH__)
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(bits));
  return r;
#else
  // Exponent and mantissa in float32's places, the exponent's bias put right by a factor; so are denormals.
  std::uint32_t wide = (bits & 0x7fffU) << 13;
  float r;
  memcpy(&r, &wide, sizeof r);
  r *= 0x1p112F;
  memcpy(&wide, &r, sizeof wide);
  if ((bits & 0x7c00U) == 0x7c00U) wide |= 0x7f800000U;  // infinite, or no number
  wide |= (bits & 0x8000U) << 16;
  memcpy(&r, &wide, sizeof r);
  return r;
#endif
}
ISOCENTER_HD float load(Scalar, const float16* p) { return widen_half(p->bits); }
ISOCENTER_HD float gather(const float16* p, int i) { return widen_half(p[i].bits); }
ISOCENTER_HD void store(float16* p, float v) {
#if defined(__CUDA_ARCH__)
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(p->bits) : "f"(v));
#else
  std::uint32_t wide;
  memcpy(&wide, &v, sizeof wide);
  const std::uint32_t sign = wide >> 16 & 0x8000U, size = wide & 0x7fffffffU;
  std::uint32_t half = 0x7c00U;  // too large: infinite
  if (size > 0x7f800000U) {
    half = 0x7e00U;
  } else if (size < 0x38800000U) {  // below 2^-14: the sum with 0.5 rounds to multiples of 2^-24
    float sum;
    memcpy(&sum, &size, sizeof sum);
    sum += 0.5F;
    memcpy(&half, &sum, sizeof half);
    half -= 0x3f000000U;
  } else if (size < 0x47800000U) {
    half = (size + 0xfffU + (size >> 13 & 1U) - (112U << 23)) >> 13;
  }
  p->bits = static_cast<std::uint16_t>(sign | half);
#endif
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
ISOCENTER_HD float8 load(Pack8, const float16* p) {
  float8 r;
  for (int k = 0; k < 8; ++k) r[k] = widen_half(p[k].bits);
  return r;
}
ISOCENTER_HD float8 gather(const float16* p, int8 i) {
  float8 r;
  for (int k = 0; k < 8; ++k) r[k] = widen_half(p[i[k]].bits);
  return r;
}
ISOCENTER_HD void store(float16* p, float8 v) {
  for (int k = 0; k < 8; ++k) store(p + k, v[k]);
}
#endif

/// The name under which a device finds a kernel for an element type.
template <class T>
constexpr const char* by_storage(const char* as_float, const char* as_bfloat16, const char* as_float16) {
  if (std::is_same_v<T, float16>) return as_float16;
  return std::is_same_v<T, bfloat16> ? as_bfloat16 : as_float;
}
/// The same for two types: narrowing (from float32), widening (to it), or both sides the same.
template <class In, class Out>
constexpr const char* by_storage(const char* both_float, const char* to_bfloat16, const char* from_bfloat16,
                                 const char* both_bfloat16, const char* to_float16, const char* from_float16,
                                 const char* both_float16) {
  if (std::is_same_v<In, float>) return by_storage<Out>(both_float, to_bfloat16, to_float16);
  if (std::is_same_v<Out, float>) return by_storage<In>(both_float, from_bfloat16, from_float16);
  return by_storage<In>(both_float, both_bfloat16, both_float16);
}

}  // namespace isocenter::detail
