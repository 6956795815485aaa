#include "recon/motion_simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx2.inl"

using Integers = __m256i;
ISOCENTER_SIMD inline Integers whole_of(Vec v) { return _mm256_cvttps_epi32(v); }
ISOCENTER_SIMD inline Vec real_of(Integers i) { return _mm256_cvtepi32_ps(i); }
ISOCENTER_SIMD inline Integers load_integers(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
ISOCENTER_SIMD inline Integers subtract(Integers a, int b) { return _mm256_sub_epi32(a, _mm256_set1_epi32(b)); }

/// From element `at` (0 .. 14) of two registers `part` of the way to the next.
ISOCENTER_SIMD inline Vec between(Vec a, Vec b, Integers at, Vec part) {
  const Vec low = pick(a, b, at), high = pick(a, b, _mm256_add_epi32(at, _mm256_set1_epi32(1)));
  return fma(part, subtract(high, low), low);
}

struct Range {
  int low, high;
};
/// The smallest and the largest number: mostly the first and the last one.
ISOCENTER_SIMD inline Range range_of(Integers i) {
  const int a = _mm256_extract_epi32(i, 0), b = _mm256_extract_epi32(i, 7);
  const Range r = a < b ? Range{a, b} : Range{b, a};
  const Integers low = _mm256_set1_epi32(r.low), high = _mm256_set1_epi32(r.high);
  const Integers outside = _mm256_or_si256(_mm256_cmpgt_epi32(low, i), _mm256_cmpgt_epi32(i, high));
  if (_mm256_testz_si256(outside, outside) != 0) return r;
  alignas(32) std::int32_t all[width];
  _mm256_store_si256(reinterpret_cast<__m256i*>(all), i);
  Range whole{all[0], all[0]};
  for (const std::int32_t k : all) whole = {k < whole.low ? k : whole.low, k > whole.high ? k : whole.high};
  return whole;
}

/// Bilinear samples by gathers, as `sample`; `view` is column and row -1.
ISOCENTER_SIMD inline Vec sample_far(const float* view, Vec u, Vec v, int columns, int row_stride) {
  const Integers iu = _mm256_min_epi32(whole_of(u), _mm256_set1_epi32(columns)), iv = whole_of(v);
  const Vec fu = subtract(u, real_of(iu)), fv = subtract(v, real_of(iv));
  const Integers at = _mm256_add_epi32(_mm256_mullo_epi32(iu, _mm256_set1_epi32(row_stride)), iv);
  const Vec p0 = _mm256_i32gather_ps(view, at, 4), p1 = _mm256_i32gather_ps(view + 1, at, 4);
  const Vec q0 = _mm256_i32gather_ps(view + row_stride, at, 4), q1 = _mm256_i32gather_ps(view + row_stride + 1, at, 4);
  const Vec p = fma(fv, subtract(p1, p0), p0), q = fma(fv, subtract(q1, q0), q0);
  return fma(fu, subtract(q, p), p);
}

#include "recon/motion_simd.inl"

}  // namespace

const MotionVariant* motion_variant_avx2() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::MotionVariant* isocenter::detail::motion_variant_avx2() { return nullptr; }
#endif
