#pragma once
// One vocabulary for a group of neighbouring x positions, so that a kernel is written once:
// `Scalar` is one position (a CUDA thread, the tail of a CPU row), `Pack8` is eight of them (a CPU register).
//
// A kernel uses gather, load, store, clamp, select, min, max, to_float, to_int, floor and operators; it has no `if` on
// a lane value. Offsets that may pass 2^31 go into the pointer as int64_t; lane indices are 32-bit offsets from it.
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define ISOCENTER_HD __host__ __device__ __forceinline__
#else
#define ISOCENTER_HD inline __attribute__((always_inline))
#endif

namespace isocenter::detail {

struct Scalar {
  using Float = float;
  using Int = int;
  static constexpr int width = 1;
  static ISOCENTER_HD Int iota(int x) { return x; }
};

ISOCENTER_HD float to_float(int i) { return static_cast<float>(i); }
ISOCENTER_HD int to_int(float v) { return static_cast<int>(v); }  // towards zero
ISOCENTER_HD float gather(const float* p, int i) { return p[i]; }
ISOCENTER_HD void store(float* p, float v) { *p = v; }
ISOCENTER_HD float select(bool condition, float a, float b) { return condition ? a : b; }
ISOCENTER_HD int select(bool condition, int a, int b) { return condition ? a : b; }
ISOCENTER_HD float min(float a, float b) { return a < b ? a : b; }
ISOCENTER_HD float max(float a, float b) { return a > b ? a : b; }
ISOCENTER_HD int min(int a, int b) { return a < b ? a : b; }
ISOCENTER_HD int max(int a, int b) { return a > b ? a : b; }
ISOCENTER_HD int clamp(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }
ISOCENTER_HD float clamp(float v, float lo, float hi) { return v < lo ? lo : (v > hi ? hi : v); }
/// Largest integer not above v; |v| < 2^31.
ISOCENTER_HD int floor_to_int(float v) {
  const int i = static_cast<int>(v);
  return i - (static_cast<float>(i) > v ? 1 : 0);
}
template <class Lanes>
ISOCENTER_HD typename Lanes::Float load(Lanes, const float* p) {
  typename Lanes::Float r;
  memcpy(&r, p, sizeof r);
  return r;
}

#if !defined(__CUDACC__)
typedef float float8 __attribute__((vector_size(32)));
typedef int int8 __attribute__((vector_size(32)));

struct Pack8 {
  using Float = float8;
  using Int = int8;
  static constexpr int width = 8;
  static ISOCENTER_HD Int iota(int x) { return int8{0, 1, 2, 3, 4, 5, 6, 7} + x; }
};

ISOCENTER_HD float8 to_float(int8 i) { return __builtin_convertvector(i, float8); }
ISOCENTER_HD int8 to_int(float8 v) { return __builtin_convertvector(v, int8); }
ISOCENTER_HD float8 gather(const float* p, int8 i) {
  float8 r;
  for (int k = 0; k < 8; ++k) r[k] = p[i[k]];
  return r;
}
ISOCENTER_HD void store(float* p, float8 v) { std::memcpy(p, &v, sizeof v); }
ISOCENTER_HD float8 select(int8 condition, float8 a, float8 b) { return condition ? a : b; }
ISOCENTER_HD int8 select(int8 condition, int8 a, int8 b) { return condition ? a : b; }
ISOCENTER_HD float8 min(float8 a, float8 b) { return a < b ? a : b; }
ISOCENTER_HD float8 max(float8 a, float8 b) { return a > b ? a : b; }
ISOCENTER_HD int8 min(int8 a, int8 b) { return a < b ? a : b; }
ISOCENTER_HD int8 max(int8 a, int8 b) { return a > b ? a : b; }
ISOCENTER_HD int8 clamp(int8 v, int lo, int hi) { return min(max(v, int8{} + lo), int8{} + hi); }
ISOCENTER_HD float8 clamp(float8 v, float lo, float hi) { return min(max(v, float8{} + lo), float8{} + hi); }
ISOCENTER_HD int8 floor_to_int(float8 v) {
  const int8 i = to_int(v);
  return i + (to_float(i) > v);  // a true comparison is -1
}
#endif

}  // namespace isocenter::detail
