#include "infer/attention.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include "infer/storage.hpp"

#define ISOCENTER_TARGET __attribute__((target("avx2,fma")))
#define ISOCENTER_INLINE ISOCENTER_TARGET inline __attribute__((always_inline))

namespace isocenter::detail {
namespace simd {

using Vec = __m256;
constexpr int width = 8, vectors = 2, rows = 6;

ISOCENTER_INLINE Vec read(const float* p) { return _mm256_loadu_ps(p); }
ISOCENTER_INLINE void write(float* p, Vec v) { _mm256_storeu_ps(p, v); }
ISOCENTER_INLINE Vec set1(float v) { return _mm256_set1_ps(v); }
ISOCENTER_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
ISOCENTER_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
ISOCENTER_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
ISOCENTER_INLINE Vec divide(Vec a, Vec b) { return _mm256_div_ps(a, b); }
ISOCENTER_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
ISOCENTER_INLINE Vec largest(Vec a, Vec b) { return _mm256_max_ps(a, b); }
/// Coefficients: S. Moshier, Cephes Math Library 2.2, expf.
ISOCENTER_INLINE Vec exp_below(Vec x) {
  const Vec kept = _mm256_cmp_ps(x, set1(-87.3F), _CMP_NLT_UQ);
  const Vec n = _mm256_round_ps(mul(x, set1(1.44269504F)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vec r = multiply_add(n, set1(2.12194440e-4F), multiply_add(n, set1(-0.693359375F), x));
  Vec p = multiply_add(r, set1(1.9875691500e-4F), set1(1.3981999507e-3F));
  p = multiply_add(p, r, set1(8.3334519073e-3F));
  p = multiply_add(p, r, set1(4.1665795894e-2F));
  p = multiply_add(p, r, set1(1.6666665459e-1F));
  p = multiply_add(p, r, set1(5.0000001201e-1F));
  p = add(multiply_add(mul(p, r), r, r), set1(1.0F));
  const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_and_ps(kept, mul(p, _mm256_castsi256_ps(exponent)));
}

}  // namespace simd
}  // namespace isocenter::detail

#include "infer/attention.inl"

namespace isocenter::detail {
AttentionVariant attention_avx2() { return {lanes, &run_blocks}; }
}  // namespace isocenter::detail
#endif
