#include "recon/fbp_simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx2.inl"

using Mask = __m256;
/// The bound where v is not a number.
ISOCENTER_SIMD inline Vec bounded(Vec v, Vec low, Vec high) { return _mm256_min_ps(_mm256_max_ps(v, low), high); }
ISOCENTER_SIMD inline Mask above(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
ISOCENTER_SIMD inline Vec select(Mask m, Vec a, Vec b) { return _mm256_blendv_ps(b, a, m); }
ISOCENTER_SIMD inline Vec with_sign(Vec v, Vec sign) {
  return _mm256_or_ps(v, _mm256_and_ps(sign, _mm256_set1_ps(-0.0F)));
}
ISOCENTER_SIMD inline Vec whole_part(Vec v, std::int32_t* integers) {
  const __m256i i = _mm256_cvttps_epi32(v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(integers), i);
  return _mm256_cvtepi32_ps(i);
}
/// line[v] between whole columns, v >= 0, rising or falling along the lanes: out of two registers where the lanes lie
/// within 14 columns, else gathered.
ISOCENTER_SIMD inline Vec interpolate(const float* line, Vec v) {
  const __m256i i = _mm256_cvttps_epi32(v), one = _mm256_set1_epi32(1);
  const Vec part = subtract(v, _mm256_cvtepi32_ps(i));
  const int a = _mm256_extract_epi32(i, 0), b = _mm256_extract_epi32(i, 7);
  const int low = a < b ? a : b, high = a < b ? b : a;
  Vec left, right;
  if (high - low <= 2 * width - 2) {
    const Vec p = load(line + low), q = load(line + low + width);
    const __m256i from = _mm256_sub_epi32(i, _mm256_set1_epi32(low));
    left = pick(p, q, from);
    right = pick(p, q, _mm256_add_epi32(from, one));
  } else {
    left = _mm256_i32gather_ps(line, i, 4);
    right = _mm256_i32gather_ps(line + 1, i, 4);
  }
  return fma(part, subtract(right, left), left);
}

#include "recon/fbp_simd.inl"

}  // namespace

const FbpVariant* fbp_variant_avx2() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::FbpVariant* isocenter::detail::fbp_variant_avx2() { return nullptr; }
#endif
