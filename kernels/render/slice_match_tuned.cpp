#include "render/slice_match_tuned.hpp"

#include <algorithm>

namespace isocenter::detail {
namespace {

constexpr int kPatch = SliceMatchKernel::patch;
constexpr int kBlockRows = 32, kBlockColumns = 256;
constexpr int kRing = 2 * kPatch + 1;

/// The slices with their border pixels repeated, so that no displacement and no patch leaves them.
struct Margin {
  int x, y;
  std::int64_t pitch, floats;
};
Margin margin_of(const SliceMatchKernel& k) {
  Margin m{};
  m.x = k.reach_x + kPatch;
  m.y = k.reach_y + kPatch;
  m.pitch = (k.nx + 2 * m.x + 8 + 7) / 8 * 8;  // a pack may reach past the end
  m.floats = m.pitch * (k.ny + 2 * m.y) + 8;
  m.floats = (m.floats + 7) / 8 * 8;
  return m;
}

struct Planes {
  const float* below;  // at pixel (0, 0)
  const float* above;
  float* best;
  float* weight;
  std::int64_t pitch;
};

/// All displacements of the pixels [x0, x1) × [y0, y1).
ISOCENTER_HD void match_block(const SliceMatchKernel& k, const Planes& p, int x0, int x1, int y0, int y1) {
  alignas(32) float ring[kRing][kBlockColumns + 8];
  const std::int64_t nx = k.nx;
  for (int j = -k.reach_y; j <= k.reach_y; ++j) {
    for (int i = -k.reach_x; i <= k.reach_x; ++i) {
      const float rest = k.rest(i, j);
      for (int y = y0 - kPatch; y < y1 + kPatch; ++y) {
        const float* a = p.below + (y - j) * p.pitch - i;
        const float* b = p.above + (y + j) * p.pitch + i;
        float* row = ring[(y - y0 + kPatch) % kRing];
        for (int x = x0; x < x1; x += 8) {
          float8 sum = {};
          for (int u = -kPatch; u <= kPatch; u += 2) {
            const float8 d = load(Pack8{}, a + x + u) - load(Pack8{}, b + x + u);
            sum += max(d, 0.0F - d);
          }
          store(row + (x - x0), sum);
        }
        const int centre = y - kPatch;
        if (centre < y0) continue;
        for (int x = x0; x < x1; x += 8) {
          float8 sum = {};
          for (int v = 0; v < kRing; v += 2) sum += load(Pack8{}, ring[(centre - y0 + v) % kRing] + (x - x0));
          const float8 cost = sum * (1.0F / 25.0F) + rest;
          const std::int64_t at = centre * nx + x;
          if (x + 8 <= x1) {
            SoftMinimum<float8> found{load(Pack8{}, p.best + at), load(Pack8{}, p.weight + at),
                                      load(Pack8{}, k.dx + at), load(Pack8{}, k.dy + at)};
            found.add(cost, static_cast<float>(i), static_cast<float>(j), k.softness);
            store(p.best + at, found.best);
            store(p.weight + at, found.weight);
            store(k.dx + at, found.sum_x);
            store(k.dy + at, found.sum_y);
            continue;
          }
          for (int lane = 0; x + lane < x1; ++lane) {
            SoftMinimum<float> found{p.best[at + lane], p.weight[at + lane], k.dx[at + lane], k.dy[at + lane]};
            found.add(cost[lane], static_cast<float>(i), static_cast<float>(j), k.softness);
            p.best[at + lane] = found.best;
            p.weight[at + lane] = found.weight;
            k.dx[at + lane] = found.sum_x;
            k.dy[at + lane] = found.sum_y;
          }
        }
      }
    }
  }
  for (int y = y0; y < y1; ++y)
    for (std::int64_t at = y * nx + x0; at < y * nx + x1; ++at) {
      k.dx[at] = k.dx[at] / p.weight[at];
      k.dy[at] = k.dy[at] / p.weight[at];
    }
}

#if defined(__x86_64__)
__attribute__((flatten, target("avx2,fma"))) void match_block_avx2(const SliceMatchKernel& k, const Planes& p, int x0,
                                                                   int x1, int y0, int y1) {
  match_block(k, p, x0, x1, y0, y1);
}
#endif
__attribute__((flatten)) void match_block_base(const SliceMatchKernel& k, const Planes& p, int x0, int x1, int y0,
                                               int y1) {
  match_block(k, p, x0, x1, y0, y1);
}

/// Repeats the border and holds values to [low, high].
void fill_margin(const Launcher& launcher, const SliceMatchKernel& k, const Margin& m, const float* slice, float* to) {
  parallel_for(launcher, k.ny + 2 * m.y, 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t r = b; r < e; ++r) {
      const float* from = slice + static_cast<std::int64_t>(clamp(static_cast<int>(r) - m.y, 0, k.ny - 1)) * k.nx;
      for (std::int64_t x = 0; x < m.pitch; ++x)
        to[r * m.pitch + x] = clamp(from[clamp(static_cast<int>(x) - m.x, 0, k.nx - 1)], k.low, k.high);
    }
  });
}

}  // namespace

std::int64_t slice_match_scratch_floats(const SliceMatchKernel& k) {
  const std::int64_t pixels = (static_cast<std::int64_t>(k.nx) * k.ny + 7) / 8 * 8;
  return 2 * margin_of(k).floats + 2 * pixels;
}

void slice_match_tuned(const Launcher& launcher, const SliceMatchKernel& k, float* scratch) {
  const Margin m = margin_of(k);
  const std::int64_t pixels = (static_cast<std::int64_t>(k.nx) * k.ny + 7) / 8 * 8;
  fill_margin(launcher, k, m, k.below, scratch);
  fill_margin(launcher, k, m, k.above, scratch + m.floats);
  Planes p{};
  p.below = scratch + m.y * m.pitch + m.x;
  p.above = p.below + m.floats;
  p.best = scratch + 2 * m.floats;
  p.weight = p.best + pixels;
  p.pitch = m.pitch;
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const auto block = avx2 ? &match_block_avx2 : &match_block_base;
#else
  const auto block = &match_block_base;
#endif
  const int rows = (k.ny + kBlockRows - 1) / kBlockRows, columns = (k.nx + kBlockColumns - 1) / kBlockColumns;
  parallel_for(launcher, static_cast<std::int64_t>(rows) * columns, 1, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t i = b; i < e; ++i) {
      const int y0 = static_cast<int>(i / columns) * kBlockRows, x0 = static_cast<int>(i % columns) * kBlockColumns;
      const int y1 = std::min(k.ny, y0 + kBlockRows), x1 = std::min(k.nx, x0 + kBlockColumns);
      const auto start = SoftMinimum<float>::start();
      for (int y = y0; y < y1; ++y) {
        const std::int64_t at = static_cast<std::int64_t>(y) * k.nx;
        std::fill(p.best + at + x0, p.best + at + x1, start.best);
        for (float* plane : {p.weight, k.dx, k.dy}) std::fill(plane + at + x0, plane + at + x1, 0.0F);
      }
      block(k, p, x0, x1, y0, y1);
    }
  });
}

}  // namespace isocenter::detail
