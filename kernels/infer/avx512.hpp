#pragma once
// Sixteen float32 in a register, from and to float32 or bfloat16 in memory. For files of AVX-512 variants alone.
#include <immintrin.h>

#include "infer/functions.hpp"
#include "infer/storage.hpp"

#define ISOCENTER_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))
#define ISOCENTER_INLINE ISOCENTER_TARGET inline __attribute__((always_inline))

namespace isocenter::detail::avx512 {

constexpr int width = 16;
constexpr __mmask16 all = 0xffff;  // GCC 12 warns of what its unmasked forms leave open

ISOCENTER_INLINE __m512 load16(const float* p) { return _mm512_loadu_ps(p); }
ISOCENTER_INLINE __m512 load16(const bfloat16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(all, _mm512_maskz_cvtepu16_epi32(all, bits), 16));
}
ISOCENTER_INLINE void store16(float* p, __m512 v) { _mm512_storeu_ps(p, v); }
ISOCENTER_INLINE void store16(bfloat16* p, __m512 v) {
  const __m256bh narrow = _mm512_cvtneps_pbh(v);
  std::memcpy(p, &narrow, sizeof narrow);
}
/// relu, leaky_relu, clip or identity; what is not a number stays so.
ISOCENTER_INLINE __m512 activate(infer::Function then, float alpha, float beta, __m512 v) {
  using F = infer::Function;
  const __m512 zero = _mm512_setzero_ps();
  if (then == F::relu) return _mm512_maskz_max_ps(all, zero, v);  // the second operand where one is not a number
  if (then == F::leaky_relu)
    return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, zero, _CMP_LT_OQ), v, _mm512_set1_ps(alpha));
  if (then == F::clip)
    return _mm512_maskz_min_ps(all, _mm512_set1_ps(beta), _mm512_maskz_max_ps(all, _mm512_set1_ps(alpha), v));
  return v;
}

/// The processor has AVX-512 with the parts that came with its first servers; AVX512_BF16 is asked for by itself.
inline bool available() {
  static const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return wide;
}

}  // namespace isocenter::detail::avx512
