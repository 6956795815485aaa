#include "infer/attention.hpp"

#if defined(__x86_64__)
#include "infer/avx512.hpp"

namespace isocenter::detail {
namespace simd {

using Vec = __m512;
constexpr int width = 16, vectors = 3, rows = 8;

ISOCENTER_INLINE Vec read(const float* p) { return _mm512_loadu_ps(p); }
ISOCENTER_INLINE void write(float* p, Vec v) { _mm512_storeu_ps(p, v); }
ISOCENTER_INLINE Vec set1(float v) { return _mm512_set1_ps(v); }
ISOCENTER_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
ISOCENTER_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
ISOCENTER_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
ISOCENTER_INLINE Vec divide(Vec a, Vec b) { return _mm512_div_ps(a, b); }
ISOCENTER_INLINE Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
ISOCENTER_INLINE Vec largest(Vec a, Vec b) { return _mm512_maskz_max_ps(avx512::all, a, b); }
/// Coefficients: S. Moshier, Cephes Math Library 2.2, expf.
ISOCENTER_INLINE Vec exp_below(Vec x) {
  const __mmask16 kept = _mm512_cmp_ps_mask(x, set1(-87.3F), _CMP_NLT_UQ);
  const Vec n = _mm512_maskz_roundscale_ps(avx512::all, mul(x, set1(1.44269504F)), 0);
  const Vec r = multiply_add(n, set1(2.12194440e-4F), multiply_add(n, set1(-0.693359375F), x));
  Vec p = multiply_add(r, set1(1.9875691500e-4F), set1(1.3981999507e-3F));
  p = multiply_add(p, r, set1(8.3334519073e-3F));
  p = multiply_add(p, r, set1(4.1665795894e-2F));
  p = multiply_add(p, r, set1(1.6666665459e-1F));
  p = multiply_add(p, r, set1(5.0000001201e-1F));
  p = add(multiply_add(mul(p, r), r, r), set1(1.0F));
  return _mm512_maskz_scalef_ps(kept, p, n);
}

}  // namespace simd
}  // namespace isocenter::detail

#include "infer/attention.inl"

namespace isocenter::detail {
AttentionVariant attention_avx512() { return {lanes, &run_blocks}; }
}  // namespace isocenter::detail
#endif
