// The body of one tile of non-local means, included once for each instruction set by non_local_means_<set>.cpp, which
// defines ISOCENTER_TARGET (the functions' attribute), TILE_FUNCTION (the name) and, in the anonymous namespace,
//   struct V { Float, width, load, store, fma, min, max, between, all_below, shift<n>, floor, times_power_of_two }.
// See non_local_means_tuned.hpp for the method.

constexpr int kBlock = 256;  // columns worked on together
constexpr int kBatch = 11;   // offsets dx worked on together
constexpr int kMaxPatch = 3;
constexpr float kLog2e = 1.44269504F;
constexpr int kRowFloats = (kBlock + 2 * kMaxPatch + 2 * V::width + 15) / 16 * 16;  // read one vector past the end
constexpr float kNegligible = -86.0F;  // 2^-86 is far below the rounding of a sum that starts with 1

using Float = V::Float;

/// row[x] = sum over slices k of (a - b)², k in [-patch, patch]. Patch < 0: the radius is `patch`.
template <int Patch>
ISOCENTER_TARGET void distance_row(const float* a, const float* b, std::int64_t plane, int patch, int n, float* row) {
  const int r = Patch >= 0 ? Patch : patch;
  for (int x = 0; x < n; x += V::width) {
    Float d = V::load(a + x - r * plane) - V::load(b + x - r * plane);
    Float sum = d * d;
    for (int k = 1 - r; k <= r; ++k) {
      d = V::load(a + x + k * plane) - V::load(b + x + k * plane);
      sum = V::fma(d, d, sum);
    }
    V::store(row + x, sum);
  }
}

/// Sum over the `count` rows of the ring at x.
template <int Count>
ISOCENTER_TARGET inline Float sum_of_rows(const float* ring, int count, int x) {
  const int rows = Count > 0 ? Count : count;
  Float sum = V::load(ring + x);
  for (int j = 1; j < rows; ++j) sum = sum + V::load(ring + j * kRowFloats + x);
  return sum;
}

/// 2^z for z <= 0, relative error below 3e-6; fitted as the polynomials of core/lane_math.hpp, exact at whole z.
ISOCENTER_TARGET inline Float power_of_two(Float z) {
  z = V::max(z, Float{} - 126.0F);
  const Float whole = V::floor(z), f = z - whole;
  Float p = Float{} + 0.0134266885F;
  p = V::fma(p, f, Float{} + 0.0522424653F);
  p = V::fma(p, f, Float{} + 0.241280213F);
  p = V::fma(p, f, Float{} + 0.693044841F);
  p = V::fma(p, f, Float{} + 1.0F);
  return V::times_power_of_two(p, whole);
}

/// The accumulators of both voxels of each pair of one row; lanes outside [first, end) are not pairs.
struct Pair {
  const float *u_a, *u_b;
  float *sum_a, *weight_a, *sum_b, *weight_b;
  int first, end;
  float scale, offset;  ///< weight = 2^min(scale d² + offset, 0)
};
ISOCENTER_TARGET inline void accumulate(const Pair& p, int x, Float d2) {
  const Float exponent = V::min(V::fma(d2, Float{} + p.scale, Float{} + p.offset), Float{});
  if (V::all_below(exponent, kNegligible)) return;
  Float w = power_of_two(exponent);
  if (x < p.first || x + V::width > p.end) w = V::between(w, p.first - x, p.end - x);
  const Float a = V::load(p.u_a + x), b = V::load(p.u_b + x);
  V::store(p.sum_a + x, V::fma(w, b, V::load(p.sum_a + x)));
  V::store(p.weight_a + x, w + V::load(p.weight_a + x));
  V::store(p.sum_b + x, V::fma(w, a, V::load(p.sum_b + x)));
  V::store(p.weight_b + x, w + V::load(p.weight_b + x));
}

/// The ring's rows are summed, then 2 patch + 1 neighbouring columns, which gives the patch distances of the row.
/// Column x of a ring's row is voxel x - patch.
ISOCENTER_TARGET void accumulate_row_of_3(const float* ring, const Pair& p) {
  Float low = sum_of_rows<3>(ring, 3, 0);
  for (int x = 0; x < p.end; x += V::width) {
    const Float high = sum_of_rows<3>(ring, 3, x + V::width);
    accumulate(p, x, low + V::shift<1>(low, high) + V::shift<2>(low, high));
    low = high;
  }
}
ISOCENTER_TARGET void accumulate_row(const float* ring, int rows, int columns, int n, const Pair& p) {
  if (rows == 3 && columns == 3) return accumulate_row_of_3(ring, p);
  alignas(64) float row[kRowFloats];
  for (int x = 0; x < n; x += V::width) V::store(row + x, sum_of_rows<-1>(ring, rows, x));
  for (int x = 0; x < p.end; x += V::width) {
    Float d2 = V::load(row + x);
    for (int i = 1; i < columns; ++i) d2 = d2 + V::load(row + x + i);
    accumulate(p, x, d2);
  }
}

ISOCENTER_TARGET void distance_row(const float* a, const float* b, std::int64_t plane, int patch, int n, float* row) {
  if (patch == 0) return distance_row<0>(a, b, plane, 0, n, row);
  if (patch == 1) return distance_row<1>(a, b, plane, 1, n, row);
  distance_row<-1>(a, b, plane, patch, n, row);
}
/// All rows of the tile in slice z, columns [block_begin, block_end), for one (dy, dz) and dx in [dx_begin, dx_end).
ISOCENTER_TARGET void walk_rows(const NonLocalMeansTile& t, int z, int block_begin, int block_end, int dy, int dz,
                                int dx_begin, int dx_end) {
  alignas(64) float ring[kBatch][(2 * kMaxPatch + 1) * kRowFloats];
  const int ring_rows = 2 * t.patch_y + 1;
  const int first = dy < 0 ? (t.y_begin > -dy ? t.y_begin : -dy) : t.y_begin;
  const int last = dy > 0 ? (t.y_end < t.ny - dy ? t.y_end : t.ny - dy) : t.y_end;
  if (first >= last) return;
  for (int y = first - t.patch_y; y < last + t.patch_y; ++y) {
    const int slot = (y - first + t.patch_y) % ring_rows;
    const int centre = y - t.patch_y;  // the row whose patches are now complete
    for (int dx = dx_begin; dx < dx_end; ++dx) {
      const int begin = block_begin > -dx ? block_begin : -dx;
      const int end = block_end < t.nx - dx ? block_end : t.nx - dx;
      if (begin >= end) continue;
      const int n = end - block_begin + 2 * t.patch_x;
      const std::int64_t shift = dz * t.plane + dy * t.pitch + dx;
      float* distances = ring[dx - dx_begin];
      const float* u = t.padded + z * t.plane + y * t.pitch + block_begin - t.patch_x;
      distance_row(u, u + shift, t.plane, t.patch_z, n, distances + slot * kRowFloats);
      if (centre < first) continue;
      const std::int64_t a = z * t.plane + centre * t.pitch + block_begin, b = a + shift;
      accumulate_row(distances, ring_rows, 2 * t.patch_x + 1, n,
                     {t.padded + a, t.padded + b, t.sum + a, t.weight + a, t.sum + b, t.weight + b, begin - block_begin,
                      end - block_begin, -kLog2e * t.scale, kLog2e * t.offset});
    }
  }
}

ISOCENTER_TARGET void walk_tile(const NonLocalMeansTile& t) {
  for (int dz = 0; dz <= t.search_z; ++dz) {
    for (int dy = dz == 0 ? 0 : -t.search_y; dy <= t.search_y; ++dy) {
      const int dx_first = dz == 0 && dy == 0 ? 1 : -t.search_x;
      for (int dx = dx_first; dx <= t.search_x; dx += kBatch) {
        const int dx_end = dx + kBatch < t.search_x + 1 ? dx + kBatch : t.search_x + 1;
        const int z_first = t.z_begin > t.chunk_begin - dz ? t.z_begin : t.chunk_begin - dz;
        const int z_last = t.z_end < t.nz - dz ? t.z_end : t.nz - dz;
        for (int z = z_first; z < z_last; ++z)
          for (int x = 0; x < t.nx; x += kBlock)
            walk_rows(t, z, x, x + kBlock < t.nx ? x + kBlock : t.nx, dy, dz, dx, dx_end);
      }
    }
  }
}
