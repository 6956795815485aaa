// Non-local means with the vectors that every processor of the family has (SSE2 on x86-64, NEON on aarch64), four
// columns at a time, without fused multiply-add.
#include "denoise/non_local_means_tuned.hpp"

#define ISOCENTER_TARGET
#define ISOCENTER_INLINE inline __attribute__((always_inline))

namespace isocenter::detail {
namespace {

struct V {
  typedef float Float __attribute__((vector_size(16)));
  typedef int Int __attribute__((vector_size(16)));
  static constexpr int width = 4;
  static ISOCENTER_INLINE Float load(const float* p) {
    Float v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static ISOCENTER_INLINE void store(float* p, Float v) { std::memcpy(p, &v, sizeof v); }
  static ISOCENTER_INLINE Float fma(Float a, Float b, Float c) { return a * b + c; }
  static ISOCENTER_INLINE Float max(Float a, Float b) { return a > b ? a : b; }
  static ISOCENTER_INLINE Float min(Float a, Float b) { return a < b ? a : b; }
  static ISOCENTER_INLINE Float floor(Float v) {
    const Float whole = __builtin_convertvector(__builtin_convertvector(v, Int), Float);
    return whole - (whole > v ? Float{} + 1.0F : Float{});
  }
  /// p · 2^whole, whole in [-126, 0] and p in [1, 2]
  static ISOCENTER_INLINE Float times_power_of_two(Float p, Float whole) {
    return (Float)((Int)p + (__builtin_convertvector(whole, Int) << 23));
  }
  /// Lanes in [begin, end); the others 0.
  static ISOCENTER_INLINE Float between(Float v, int begin, int end) {
    if (begin <= 0 && end >= width) return v;
    const Int lane = Int{0, 1, 2, 3};
    return (Float)((Int)v & (lane >= begin) & (lane < end));
  }
  template <int N>
  static ISOCENTER_INLINE Float shift(Float low, Float high) {
    return __builtin_shufflevector(low, high, N, N + 1, N + 2, N + 3);
  }
  static ISOCENTER_INLINE bool all_below(Float v, float limit) {
    const Int below = v < limit;
    return (below[0] & below[1] & below[2] & below[3]) != 0;
  }
};

#include "denoise/non_local_means_tile.inl"

}  // namespace

void non_local_means_tile_base(const NonLocalMeansTile& tile) { walk_tile(tile); }

}  // namespace isocenter::detail
