#pragma once
// Sixteen positions as one vector of the compiler's, which makes of it what the instruction set has: the same
// operations lane by lane, so the same bits, whatever the processor. For CPU code alone. It brings functions.hpp with
// it, which has to come behind.
#include <cstdint>
#include <cstring>

#include "infer/storage.hpp"

namespace isocenter::detail {

typedef float float16x __attribute__((vector_size(64)));
typedef int int16x __attribute__((vector_size(64)));
typedef std::uint32_t bits16x __attribute__((vector_size(64)));
typedef std::uint16_t half16x __attribute__((vector_size(32)));

struct Pack16 {
  using Float = float16x;
  using Int = int16x;
  static constexpr int width = 16;
};

ISOCENTER_HD float16x to_float(int16x i) { return __builtin_convertvector(i, float16x); }
ISOCENTER_HD int16x to_int(float16x v) { return __builtin_convertvector(v, int16x); }
ISOCENTER_HD float16x select(int16x condition, float16x a, float16x b) { return condition ? a : b; }
ISOCENTER_HD float16x min(float16x a, float16x b) { return a < b ? a : b; }
ISOCENTER_HD float16x max(float16x a, float16x b) { return a > b ? a : b; }
ISOCENTER_HD int16x floor_to_int(float16x v) {
  const int16x i = to_int(v);
  return i + (to_float(i) > v);  // a true comparison is -1
}
ISOCENTER_HD float16x bits_to_float(int16x bits) {
  float16x r;
  std::memcpy(&r, &bits, sizeof r);
  return r;
}
ISOCENTER_HD float16x load(Pack16, const float* p) {
  float16x r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
ISOCENTER_HD float16x load(Pack16, const bfloat16* p) {
  half16x bits;
  std::memcpy(&bits, p, sizeof bits);
  const bits16x wide = __builtin_convertvector(bits, bits16x) << 16;
  float16x r;
  std::memcpy(&r, &wide, sizeof r);
  return r;
}
ISOCENTER_HD void store(float* p, float16x v) { std::memcpy(p, &v, sizeof v); }
ISOCENTER_HD void store(bfloat16* p, float16x v) {
  bits16x wide;
  std::memcpy(&wide, &v, sizeof wide);
  const bits16x rounded = (wide + 0x7fffU + (wide >> 16 & 1U)) >> 16;
  const half16x bits = __builtin_convertvector(v == v ? rounded : wide >> 16 | 0x40U, half16x);
  std::memcpy(p, &bits, sizeof bits);
}
template <class F>
ISOCENTER_HD float16x each_lane(float16x a, F f) {
  for (int k = 0; k < Pack16::width; ++k) a[k] = f(a[k]);
  return a;
}
template <class F>
ISOCENTER_HD float16x each_lane(float16x a, float16x b, F f) {
  for (int k = 0; k < Pack16::width; ++k) a[k] = f(a[k], b[k]);
  return a;
}

/// One function compiled for AVX-512, for AVX2 and for the base instruction set.
template <class Run>
struct Variants {
  Run avx512, avx2, base;
};
/// The widest that this processor has.
template <class Run>
Run widest_of([[maybe_unused]] const Variants<Run>& variants) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return variants.avx512;
  if (__builtin_cpu_supports("avx2")) return variants.avx2;
#endif
  return variants.base;
}

/// The lanes' sum, always in the same order.
ISOCENTER_HD float sum_of(float16x v) {
  float r[16];
  std::memcpy(r, &v, sizeof r);
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) r[i] += r[i + step];
  return r[0];
}

}  // namespace isocenter::detail

#include "infer/functions.hpp"  // last: templates that find what was declared before them
