// AVX2 registers as recon's tuned kernels use them: eight voxels or rays at a time. Included by a variant's source,
// inside its unnamed namespace and after <immintrin.h>, before the kernel (fdk_simd.inl, joseph_simd.inl,
// fbp_simd.inl).

#define ISOCENTER_SIMD __attribute__((target("avx2,fma")))

using Vec = __m256;
constexpr const char* variant_name = "AVX2";
constexpr int width = 8;

bool processor_has_them() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

ISOCENTER_SIMD inline Vec set(float v) { return _mm256_set1_ps(v); }
ISOCENTER_SIMD inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
ISOCENTER_SIMD inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
/// The first n (0 .. width) numbers; the others are 0 and are not read, or not written.
ISOCENTER_SIMD inline __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}
ISOCENTER_SIMD inline Vec load_part(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
ISOCENTER_SIMD inline void store_part(float* p, Vec v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
ISOCENTER_SIMD inline void store_integers(std::int32_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_cvttps_epi32(v));
}
ISOCENTER_SIMD inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
ISOCENTER_SIMD inline Vec subtract(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
ISOCENTER_SIMD inline Vec multiply(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
ISOCENTER_SIMD inline Vec divide(Vec a, Vec b) { return _mm256_div_ps(a, b); }
ISOCENTER_SIMD inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
ISOCENTER_SIMD inline Vec minimum(Vec a, Vec b) { return _mm256_min_ps(a, b); }
ISOCENTER_SIMD inline Vec maximum(Vec a, Vec b) { return _mm256_max_ps(a, b); }
ISOCENTER_SIMD inline Vec absolute(Vec v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), v); }
ISOCENTER_SIMD inline Vec root(Vec v) { return _mm256_sqrt_ps(v); }
ISOCENTER_SIMD inline Vec floor_of(Vec v) { return _mm256_floor_ps(v); }
ISOCENTER_SIMD inline Vec lanes() { return _mm256_set_ps(7, 6, 5, 4, 3, 2, 1, 0); }

/// Element i (0 .. 15) of two registers: both are permuted, and bit 3 of i, moved to the sign, chooses.
ISOCENTER_SIMD inline Vec pick(Vec a, Vec b, __m256i i) {
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(a, i), _mm256_permutevar8x32_ps(b, i),
                          _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}

/// line[v] between whole places, 0 <= v < 15 in every lane: both neighbours come out of two registers.
ISOCENTER_SIMD inline Vec interpolate_near(const float* line, Vec v) {
  const Vec a = load(line), b = load(line + width);
  const __m256i i = _mm256_cvttps_epi32(v);
  const Vec f = subtract(v, _mm256_cvtepi32_ps(i));
  const Vec low = pick(a, b, i), high = pick(a, b, _mm256_add_epi32(i, _mm256_set1_epi32(1)));
  return fma(f, subtract(high, low), low);
}

/// The same for any v >= 0.
ISOCENTER_SIMD inline Vec interpolate_far(const float* line, Vec v) {
  const __m256i i = _mm256_cvttps_epi32(v);
  const Vec f = subtract(v, _mm256_cvtepi32_ps(i));
  const Vec low = _mm256_i32gather_ps(line, i, 4), high = _mm256_i32gather_ps(line + 1, i, 4);
  return fma(f, subtract(high, low), low);
}
