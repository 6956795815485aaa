// Non-local means, eight columns at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#include "denoise/non_local_means_tuned.hpp"

#define ISOCENTER_TARGET __attribute__((target("avx2,fma")))
#define ISOCENTER_INLINE ISOCENTER_TARGET inline __attribute__((always_inline))

namespace isocenter::detail {
namespace {

struct V {
  typedef float Float __attribute__((vector_size(32)));
  typedef int Int __attribute__((vector_size(32)));
  static constexpr int width = 8;
  static ISOCENTER_INLINE Float load(const float* p) { return (Float)_mm256_loadu_ps(p); }
  static ISOCENTER_INLINE void store(float* p, Float v) { _mm256_storeu_ps(p, (__m256)v); }
  static ISOCENTER_INLINE Float fma(Float a, Float b, Float c) {
    return (Float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  }
  static ISOCENTER_INLINE Float max(Float a, Float b) { return (Float)_mm256_max_ps((__m256)a, (__m256)b); }
  static ISOCENTER_INLINE Float min(Float a, Float b) { return (Float)_mm256_min_ps((__m256)a, (__m256)b); }
  static ISOCENTER_INLINE Float floor(Float v) {
    return (Float)_mm256_round_ps((__m256)v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  /// p · 2^whole, whole in [-126, 0] and p in [1, 2]
  static ISOCENTER_INLINE Float times_power_of_two(Float p, Float whole) {
    return (Float)((Int)p + (__builtin_convertvector(whole, Int) << 23));
  }
  /// Lanes in [begin, end); the others 0.
  static ISOCENTER_INLINE Float between(Float v, int begin, int end) {
    if (begin <= 0 && end >= width) return v;
    const Int lane = Int{0, 1, 2, 3, 4, 5, 6, 7};
    return (Float)((Int)v & (lane >= begin) & (lane < end));
  }
  template <int N>
  static ISOCENTER_INLINE Float shift(Float low, Float high) {
    return __builtin_shufflevector(low, high, N, N + 1, N + 2, N + 3, N + 4, N + 5, N + 6, N + 7);
  }
  static ISOCENTER_INLINE bool all_below(Float v, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)v, _mm256_set1_ps(limit), _CMP_LT_OQ)) == 0xff;
  }
};

#include "denoise/non_local_means_tile.inl"

}  // namespace

void non_local_means_tile_avx2(const NonLocalMeansTile& tile) { walk_tile(tile); }

}  // namespace isocenter::detail
#endif
