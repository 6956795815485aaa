#include "recon/motion_simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx512.inl"

using Integers = __m512i;
ISOCENTER_SIMD inline Integers whole_of(Vec v) { return _mm512_cvttps_epi32(v); }
ISOCENTER_SIMD inline Vec real_of(Integers i) { return _mm512_cvtepi32_ps(i); }
ISOCENTER_SIMD inline Integers load_integers(const std::int32_t* p) { return _mm512_loadu_si512(p); }
ISOCENTER_SIMD inline Integers subtract(Integers a, int b) { return _mm512_sub_epi32(a, _mm512_set1_epi32(b)); }

/// From element `at` (0 .. 30) of two registers `part` of the way to the next.
ISOCENTER_SIMD inline Vec between(Vec a, Vec b, Integers at, Vec part) {
  const Vec low = pick(a, b, at), high = pick(a, b, _mm512_add_epi32(at, _mm512_set1_epi32(1)));
  return fma(part, subtract(high, low), low);
}

struct Range {
  int low, high;
};
/// The smallest and the largest number: mostly the first and the last one.
ISOCENTER_SIMD inline Range range_of(Integers i) {
  const int a = _mm_cvtsi128_si32(_mm512_castsi512_si128(i)), b = _mm_extract_epi32(_mm512_extracti32x4_epi32(i, 3), 3);
  const Range r = a < b ? Range{a, b} : Range{b, a};
  if (_mm512_cmpgt_epu32_mask(subtract(i, r.low), _mm512_set1_epi32(r.high - r.low)) == 0) return r;
  return {_mm512_reduce_min_epi32(i), _mm512_reduce_max_epi32(i)};
}

/// Bilinear samples by gathers, as `sample`; `view` is column and row -1.
ISOCENTER_SIMD inline Vec sample_far(const float* view, Vec u, Vec v, int columns, int row_stride) {
  const Integers iu = _mm512_min_epi32(whole_of(u), _mm512_set1_epi32(columns)), iv = whole_of(v);
  const Vec fu = subtract(u, real_of(iu)), fv = subtract(v, real_of(iv));
  const Integers at = _mm512_add_epi32(_mm512_mullo_epi32(iu, _mm512_set1_epi32(row_stride)), iv);
  const Vec p0 = _mm512_i32gather_ps(at, view, 4), p1 = _mm512_i32gather_ps(at, view + 1, 4);
  const Vec q0 = _mm512_i32gather_ps(at, view + row_stride, 4), q1 = _mm512_i32gather_ps(at, view + row_stride + 1, 4);
  const Vec p = fma(fv, subtract(p1, p0), p0), q = fma(fv, subtract(q1, q0), q0);
  return fma(fu, subtract(q, p), p);
}

#include "recon/motion_simd.inl"

}  // namespace

const MotionVariant* motion_variant_avx512() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::MotionVariant* isocenter::detail::motion_variant_avx512() { return nullptr; }
#endif
