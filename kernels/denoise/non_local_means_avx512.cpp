// Non-local means, sixteen columns at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#include "denoise/non_local_means_tuned.hpp"

#define ISOCENTER_TARGET __attribute__((target("avx512f,avx512vl,fma")))
#define ISOCENTER_INLINE ISOCENTER_TARGET inline __attribute__((always_inline))

namespace isocenter::detail {
namespace {

struct V {
  typedef float Float __attribute__((vector_size(64)));
  static constexpr int width = 16;
  static constexpr __mmask16 all = 0xffff;
  static ISOCENTER_INLINE Float load(const float* p) { return (Float)_mm512_loadu_ps(p); }
  static ISOCENTER_INLINE void store(float* p, Float v) { _mm512_storeu_ps(p, (__m512)v); }
  static ISOCENTER_INLINE Float fma(Float a, Float b, Float c) {
    return (Float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  }
  static ISOCENTER_INLINE Float max(Float a, Float b) { return (Float)_mm512_maskz_max_ps(all, (__m512)a, (__m512)b); }
  static ISOCENTER_INLINE Float min(Float a, Float b) { return (Float)_mm512_maskz_min_ps(all, (__m512)a, (__m512)b); }
  static ISOCENTER_INLINE Float floor(Float v) {
    return (Float)_mm512_maskz_roundscale_ps(all, (__m512)v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  /// p · 2^whole
  static ISOCENTER_INLINE Float times_power_of_two(Float p, Float whole) {
    return (Float)_mm512_maskz_scalef_ps(all, (__m512)p, (__m512)whole);
  }
  /// Lanes in [begin, end); the others 0.
  static ISOCENTER_INLINE Float between(Float v, int begin, int end) {
    const unsigned upper = end >= width ? 0xffffU : (1U << end) - 1U;
    const unsigned lower = begin <= 0 ? 0U : begin >= width ? 0xffffU : (1U << begin) - 1U;
    return (Float)_mm512_maskz_mov_ps(static_cast<__mmask16>(upper & ~lower), (__m512)v);
  }
  static ISOCENTER_INLINE bool all_below(Float v, float limit) {
    return _mm512_cmp_ps_mask((__m512)v, _mm512_set1_ps(limit), _CMP_LT_OQ) == all;
  }
  template <int N>
  static ISOCENTER_INLINE Float shift(Float low, Float high) {
    return __builtin_shufflevector(low, high, N, N + 1, N + 2, N + 3, N + 4, N + 5, N + 6, N + 7, N + 8, N + 9, N + 10,
                                   N + 11, N + 12, N + 13, N + 14, N + 15);
  }
};

#include "denoise/non_local_means_tile.inl"

}  // namespace

void non_local_means_tile_avx512(const NonLocalMeansTile& tile) { walk_tile(tile); }

}  // namespace isocenter::detail
#endif
