// AVX-512 registers as recon's tuned kernels use them: sixteen voxels or rays at a time. Included by a variant's
// source, inside its unnamed namespace and after <immintrin.h>, before the kernel (fdk_simd.inl, joseph_simd.inl,
// fbp_simd.inl).

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, its bug 105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#define ISOCENTER_SIMD __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma")))

using Vec = __m512;
constexpr const char* variant_name = "AVX-512";
constexpr int width = 16;

bool processor_has_them() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
}

ISOCENTER_SIMD inline Vec set(float v) { return _mm512_set1_ps(v); }
ISOCENTER_SIMD inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
ISOCENTER_SIMD inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
/// The first n (0 .. width) numbers; the others are 0 and are not read, or not written.
ISOCENTER_SIMD inline Vec load_part(const float* p, int n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
}
ISOCENTER_SIMD inline void store_part(float* p, Vec v, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v);
}
ISOCENTER_SIMD inline void store_integers(std::int32_t* p, Vec v) { _mm512_storeu_si512(p, _mm512_cvttps_epi32(v)); }
ISOCENTER_SIMD inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
ISOCENTER_SIMD inline Vec subtract(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
ISOCENTER_SIMD inline Vec multiply(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
ISOCENTER_SIMD inline Vec divide(Vec a, Vec b) { return _mm512_div_ps(a, b); }
ISOCENTER_SIMD inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
ISOCENTER_SIMD inline Vec minimum(Vec a, Vec b) { return _mm512_min_ps(a, b); }
ISOCENTER_SIMD inline Vec maximum(Vec a, Vec b) { return _mm512_max_ps(a, b); }
ISOCENTER_SIMD inline Vec absolute(Vec v) { return _mm512_abs_ps(v); }
ISOCENTER_SIMD inline Vec root(Vec v) { return _mm512_sqrt_ps(v); }
ISOCENTER_SIMD inline Vec floor_of(Vec v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
ISOCENTER_SIMD inline Vec lanes() { return _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0); }

/// Element i (0 .. 31) of two registers.
ISOCENTER_SIMD inline Vec pick(Vec a, Vec b, __m512i i) { return _mm512_permutex2var_ps(a, i, b); }

/// line[v] between whole places, 0 <= v < 31 in every lane: both neighbours come out of two registers.
ISOCENTER_SIMD inline Vec interpolate_near(const float* line, Vec v) {
  const Vec a = load(line), b = load(line + width);
  const __m512i i = _mm512_cvttps_epi32(v);
  const Vec f = _mm512_reduce_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const Vec low = pick(a, b, i), high = pick(a, b, _mm512_add_epi32(i, _mm512_set1_epi32(1)));
  return fma(f, subtract(high, low), low);
}

/// The same for any v >= 0.
ISOCENTER_SIMD inline Vec interpolate_far(const float* line, Vec v) {
  const __m512i i = _mm512_cvttps_epi32(v);
  const Vec f = subtract(v, _mm512_cvtepi32_ps(i));
  const Vec low = _mm512_i32gather_ps(i, line, 4), high = _mm512_i32gather_ps(i, line + 1, 4);
  return fma(f, subtract(high, low), low);
}
