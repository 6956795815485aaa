#include "recon/fbp_simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx512.inl"

using Mask = __mmask16;
/// The bound where v is not a number.
ISOCENTER_SIMD inline Vec bounded(Vec v, Vec low, Vec high) { return _mm512_min_ps(_mm512_max_ps(v, low), high); }
ISOCENTER_SIMD inline Mask above(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
ISOCENTER_SIMD inline Vec select(Mask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m, b, a); }
ISOCENTER_SIMD inline Vec with_sign(Vec v, Vec sign) {
  return _mm512_or_ps(v, _mm512_and_ps(sign, _mm512_set1_ps(-0.0F)));
}
ISOCENTER_SIMD inline Vec whole_part(Vec v, std::int32_t* integers) {
  const __m512i i = _mm512_cvttps_epi32(v);
  _mm512_storeu_si512(integers, i);
  return _mm512_cvtepi32_ps(i);
}
/// line[v] between whole columns, v >= 0, rising or falling along the lanes: out of two registers where the lanes lie
/// within 30 columns, else gathered.
ISOCENTER_SIMD inline Vec interpolate(const float* line, Vec v) {
  const __m512i i = _mm512_cvttps_epi32(v), one = _mm512_set1_epi32(1);
  const Vec part = subtract(v, _mm512_cvtepi32_ps(i));
  const __m128i first = _mm512_castsi512_si128(i), last = _mm512_extracti32x4_epi32(i, 3);
  const int a = _mm_cvtsi128_si32(first), b = _mm_extract_epi32(last, 3);
  const int low = a < b ? a : b, high = a < b ? b : a;
  Vec left, right;
  if (high - low <= 2 * width - 2) {
    const Vec p = load(line + low), q = load(line + low + width);
    const __m512i from = _mm512_sub_epi32(i, _mm512_set1_epi32(low));
    left = pick(p, q, from);
    right = pick(p, q, _mm512_add_epi32(from, one));
  } else {
    left = _mm512_i32gather_ps(i, line, 4);
    right = _mm512_i32gather_ps(i, line + 1, 4);
  }
  return fma(part, subtract(right, left), left);
}

#include "recon/fbp_simd.inl"

}  // namespace

const FbpVariant* fbp_variant_avx512() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::FbpVariant* isocenter::detail::fbp_variant_avx512() { return nullptr; }
#endif
