#include "render/tuned_frames.hpp"

namespace isocenter::detail {
namespace {

#if defined(__x86_64__)
/// Eight rays whose neighbouring voxels come in pairs: one load of 8 bytes in place of two of 4. Written with vector
/// extensions, so that it is inlined into functions for any instruction set.
struct PairedPack8 : Pack8 {};

typedef double double4 __attribute__((vector_size(32)));
typedef float float4 __attribute__((vector_size(16)));

ISOCENTER_HD double pair_at(const float* p) {
  double bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}
ISOCENTER_HD float4 four_at(const float* p) {
  float4 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

ISOCENTER_HD void gather_pair(PairedPack8, const float* p, int8 i, int, float8& a, float8& b) {
  // Rays 0, 1 | 4, 5 and 2, 3 | 6, 7, then all first and all second voxels.
  const auto even = (float8)double4{pair_at(p + i[0]), pair_at(p + i[1]), pair_at(p + i[4]), pair_at(p + i[5])};
  const auto odd = (float8)double4{pair_at(p + i[2]), pair_at(p + i[3]), pair_at(p + i[6]), pair_at(p + i[7])};
  a = __builtin_shufflevector(even, odd, 0, 2, 8, 10, 4, 6, 12, 14);
  b = __builtin_shufflevector(even, odd, 1, 3, 9, 11, 5, 7, 13, 15);
}

ISOCENTER_HD float8 two_fours(const float* p, int a, int b) {
  return __builtin_shufflevector(four_at(p + a), four_at(p + b), 0, 1, 2, 3, 4, 5, 6, 7);
}
ISOCENTER_HD void gather_four(PairedPack8, const float* p, int8 i, float8 (&v)[4]) {
  const float8 r0 = two_fours(p, i[0], i[4]), r1 = two_fours(p, i[1], i[5]), r2 = two_fours(p, i[2], i[6]),
               r3 = two_fours(p, i[3], i[7]);
  const float8 low01 = __builtin_shufflevector(r0, r1, 0, 8, 1, 9, 4, 12, 5, 13);
  const float8 high01 = __builtin_shufflevector(r0, r1, 2, 10, 3, 11, 6, 14, 7, 15);
  const float8 low23 = __builtin_shufflevector(r2, r3, 0, 8, 1, 9, 4, 12, 5, 13);
  const float8 high23 = __builtin_shufflevector(r2, r3, 2, 10, 3, 11, 6, 14, 7, 15);
  v[0] = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
  v[1] = __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
  v[2] = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
  v[3] = __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
}

/// The rays of a tile, column by column of packs: a pack's rays run through the cache lines of the pack above it.
template <class K>
__attribute__((flatten, target("avx2,fma"))) void paired_tile(const K& kernel, int x0, int x1, int y0, int y1) {
  int x = x0;
  for (; x + 8 <= x1; x += 8)
    for (int y = y0; y < y1; ++y) kernel(PairedPack8{}, x, y, 0);
  for (; x < x1; ++x)
    for (int y = y0; y < y1; ++y) kernel(Scalar{}, x, y, 0);
}
#endif

template <class K>
void launch_tiles(const Launcher& launcher, const K& kernel) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  // A row of one voxel has no pairs.
  if (launcher.on_cpu() && !launcher.reference_only && avx2 && kernel.volume.nx >= 2) {
    constexpr int tile = 32;
    const int across = (kernel.width + tile - 1) / tile, down = (kernel.height + tile - 1) / tile;
    parallel_for(launcher, static_cast<std::int64_t>(across) * down, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const int x0 = static_cast<int>(i % across) * tile, y0 = static_cast<int>(i / across) * tile;
        paired_tile(kernel, x0, min(x0 + tile, kernel.width), y0, min(y0 + tile, kernel.height));
      }
    });
    return;
  }
#endif
  launch(launcher, kernel, kernel.width, kernel.height, 1);
}

}  // namespace

void launch_frame(const Launcher& launcher, const VolumeRenderKernel& kernel) { launch_tiles(launcher, kernel); }
void launch_frame(const Launcher& launcher, const IntensityProjectionKernel& kernel) { launch_tiles(launcher, kernel); }

}  // namespace isocenter::detail
