#include "render/table_removal.hpp"

#include <algorithm>

namespace isocenter::detail {
namespace {

using Mask = std::uint8_t;

/// Whether all (shrink) or any (grow) of the pixels within `gap` along an axis are set; pixels outside count as set for
/// shrinking, so that a body which the field of view cuts off keeps its edge, and as not set for growing.
void spread(const Launcher& launcher, const TableRemovalGrid& g, const Mask* in, Mask* out, bool along_x, int gap,
            bool grow) {
  const Mask wanted = grow ? 1 : 0;
  parallel_for(launcher, static_cast<std::int64_t>(g.ny) * g.nz, 64, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t row = b; row < e; ++row) {
      const Mask* from = in + row * g.nx;
      Mask* to = out + row * g.nx;
      std::copy(from, from + g.nx, to);
      if (along_x) {
        int last = -gap - 1;  // the last pixel that decides
        for (int x = 0; x < g.nx + gap; ++x) {
          if (x < g.nx && from[x] == wanted) last = x;
          if (x >= gap && last >= x - 2 * gap && last >= 0) to[x - gap] = wanted;
        }
        continue;
      }
      const int y = static_cast<int>(row % g.ny);
      for (int j = std::max(-gap, -y); j <= std::min(gap, g.ny - 1 - y); ++j)
        for (int x = 0; x < g.nx; ++x)
          to[x] = (from[x + static_cast<std::int64_t>(j) * g.nx] == wanted) ? wanted : to[x];
    }
  });
}

/// The representative of a voxel's part; halves the path on its way.
std::int32_t find(std::int32_t* parent, std::int32_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}
void join(std::int32_t* parent, std::int32_t a, std::int32_t b) {
  a = find(parent, a);
  b = find(parent, b);
  parent[std::max(a, b)] = std::min(a, b);
}

/// Joins every voxel that has `value` with its neighbours before it along x, y and, where `across`, z. A part is known
/// by its first voxel.
void label_parts(const TableRemovalGrid& g, const Mask* mask, Mask value, bool across, std::int32_t* parent) {
  const std::int32_t plane = g.nx * g.ny, voxels = plane * g.nz;
  for (std::int32_t i = 0; i < voxels; ++i) {
    parent[i] = i;
    if (mask[i] != value) continue;
    if (i % g.nx > 0 && mask[i - 1] == value) join(parent, i, i - 1);
    if (i % plane >= g.nx && mask[i - g.nx] == value) join(parent, i, i - g.nx);
    if (across && i >= plane && mask[i - plane] == value) join(parent, i, i - plane);
  }
}

/// Leaves only the largest part of what is set.
void keep_largest(const TableRemovalGrid& g, Mask* mask, std::int32_t* parent) {
  const std::int32_t voxels = g.nx * g.ny * g.nz;
  label_parts(g, mask, 1, true, parent);
  // Flatten: a voxel's parent is before it, so its part is known when it is met. Then count in place, as a negative
  // number at the part's first voxel, and remember the largest.
  std::int32_t largest = -1, most = 0;
  for (std::int32_t i = 0; i < voxels; ++i)
    if (mask[i] != 0) parent[i] = parent[i] == i ? -1 : (parent[parent[i]] < 0 ? parent[i] : parent[parent[i]]);
  for (std::int32_t i = 0; i < voxels; ++i) {
    if (mask[i] == 0) continue;
    const std::int32_t first = parent[i] < 0 ? i : parent[i];
    const std::int32_t count = -(--parent[first]);
    if (count > most) {
      most = count;
      largest = first;
    }
  }
  for (std::int32_t i = 0; i < voxels; ++i) mask[i] = mask[i] != 0 && (i == largest || parent[i] == largest) ? 1 : 0;
}

/// Sets every unset pixel that is not joined to the border of its slice.
void fill_holes(const TableRemovalGrid& g, Mask* mask, std::int32_t* parent) {
  const std::int32_t plane = g.nx * g.ny;
  label_parts(g, mask, 0, false, parent);
  for (int z = 0; z < g.nz; ++z) {
    // The slice's outside gets one representative: all parts at its border are joined.
    std::int32_t outside = -1;
    for (std::int32_t i = 0; i < plane; ++i) {
      const int x = i % g.nx, y = i / g.nx;
      if (mask[z * plane + i] != 0 || (x > 0 && x < g.nx - 1 && y > 0 && y < g.ny - 1)) continue;
      if (outside < 0) outside = z * plane + i;
      join(parent, outside, z * plane + i);
    }
    if (outside < 0) continue;
    outside = find(parent, outside);
    for (std::int32_t i = z * plane; i < (z + 1) * plane; ++i)
      if (mask[i] == 0 && find(parent, i) != outside) mask[i] = 1;
  }
}

}  // namespace

std::uint64_t table_removal_scratch_bytes(const TableRemovalGrid& g) {
  return static_cast<std::uint64_t>(g.nx) * static_cast<std::uint64_t>(g.ny) * static_cast<std::uint64_t>(g.nz) * 6;
}

std::int64_t remove_table(const Launcher& launcher, const TableRemovalGrid& g, const float* in, float* out,
                          void* scratch) {
  const std::int64_t voxels = static_cast<std::int64_t>(g.nx) * g.ny * g.nz;
  auto* parent = static_cast<std::int32_t*>(scratch);
  auto* mask = reinterpret_cast<Mask*>(parent + voxels);
  auto* other = mask + voxels;
  parallel_for(launcher, voxels, 1 << 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t i = b; i < e; ++i) mask[i] = in[i] > g.threshold ? 1 : 0;
  });
  spread(launcher, g, mask, other, true, g.gap_x, false);
  spread(launcher, g, other, mask, false, g.gap_y, false);
  keep_largest(g, mask, parent);
  // Back to more than its old size, but only over what was dense.
  spread(launcher, g, mask, other, true, 2 * g.gap_x, true);
  spread(launcher, g, other, mask, false, 2 * g.gap_y, true);
  parallel_for(launcher, voxels, 1 << 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t i = b; i < e; ++i) mask[i] = mask[i] != 0 && in[i] > g.threshold ? 1 : 0;
  });
  fill_holes(g, mask, parent);
  // One pixel more: the skin's edge is softer than the threshold.
  spread(launcher, g, mask, other, true, 1, true);
  spread(launcher, g, other, mask, false, 1, true);
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < voxels; ++i) kept += mask[i];
  if (kept == 0) {
    std::fill(out, out + voxels, g.air);
    return 0;
  }
  parallel_for(launcher, voxels, 1 << 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t i = b; i < e; ++i) out[i] = mask[i] != 0 ? in[i] : g.air;
  });
  return kept;
}

}  // namespace isocenter::detail
