#include "denoise/non_local_means_tuned.hpp"

#include <algorithm>

namespace isocenter::detail {
namespace {

constexpr int kRowPad =
    32;  // floats before voxel 0: an offset to the left, a patch, and the previous row's last vector
constexpr std::uint64_t kScratchLimit = std::uint64_t{256} << 20;  // bytes
constexpr int kTileSlices = 8;
constexpr int kTileRows = 16;

int tile_slices(const NonLocalMeansKernel& k) { return std::max(kTileSlices, k.search_z); }
int tile_rows(const NonLocalMeansKernel& k) { return std::max(kTileRows, 2 * k.search_y); }

/// The slices that the arrays of one chunk hold: its own and those that its pairs reach.
struct ChunkSlices {
  int begin, end;              // of output
  int reach_begin, reach_end;  // of the accumulators
};
ChunkSlices slices_of(const NonLocalMeansKernel& k, const NonLocalMeansLayout& layout, int chunk) {
  ChunkSlices s{};
  s.begin = chunk * layout.chunk_slices;
  s.end = std::min(k.nz, s.begin + layout.chunk_slices);
  s.reach_begin = std::max(0, s.begin - k.search_z);
  s.reach_end = std::min(k.nz, s.end + k.search_z);
  return s;
}

void fill_padded(const Launcher& launcher, const NonLocalMeansKernel& k, const NonLocalMeansLayout& layout,
                 const float* volume, int z_begin, int z_end, float* padded) {
  const int rows = k.ny + 2 * k.patch_y;
  parallel_for(launcher, static_cast<std::int64_t>(z_end - z_begin) * rows, 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t r = b; r < e; ++r) {
      const int z = clamp(z_begin + static_cast<int>(r / rows), 0, k.nz - 1);
      const int y = clamp(static_cast<int>(r % rows) - k.patch_y, 0, k.ny - 1);
      const float* from = volume + (static_cast<std::int64_t>(z) * k.ny + y) * k.nx;
      float* to = padded + r / rows * layout.plane + r % rows * layout.pitch;
      std::fill(to, to + kRowPad, from[0]);
      std::copy(from, from + k.nx, to + kRowPad);
      std::fill(to + kRowPad + k.nx, to + layout.pitch, from[k.nx - 1]);
    }
  });
}

}  // namespace

NonLocalMeansLayout non_local_means_layout(const NonLocalMeansKernel& k, std::uint64_t scratch_target) {
  NonLocalMeansLayout layout{};
  layout.pitch = (k.nx + kRowPad + k.patch_x + 15) / 16 * 16;
  layout.plane = layout.pitch * (k.ny + 2 * k.patch_y);
  const int halo = 2 * (k.search_z + k.patch_z);
  const auto plane_bytes = static_cast<std::uint64_t>(layout.plane) * 3 * sizeof(float);
  const int fitting = static_cast<int>(std::min(kScratchLimit, scratch_target) / plane_bytes) - halo;
  layout.chunk_slices = std::min(k.nz, std::max(fitting, 2 * kTileSlices));
  layout.chunks = (k.nz + layout.chunk_slices - 1) / layout.chunk_slices;
  layout.chunk_slices = (k.nz + layout.chunks - 1) / layout.chunks;
  layout.array = layout.plane * (layout.chunk_slices + halo) + kRowPad;
  layout.scratch_bytes = static_cast<std::size_t>(layout.array) * 3 * sizeof(float);
  return layout;
}

bool non_local_means_tuned_covers(const NonLocalMeansKernel& k) {
  return std::max({k.search_x, k.search_y, k.search_z}) <= 15 && std::max({k.patch_x, k.patch_y, k.patch_z}) <= 3;
}

NonLocalMeansTileFunction non_local_means_tile() {
#if defined(__x86_64__)
  static const NonLocalMeansTileFunction best =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 ? &non_local_means_tile_avx512
      : __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0       ? &non_local_means_tile_avx2
                                                                                        : &non_local_means_tile_base;
  return best;
#else
  return &non_local_means_tile_base;
#endif
}

void non_local_means_chunk(const Launcher& launcher, const NonLocalMeansKernel& k, const NonLocalMeansLayout& layout,
                           int frame, int chunk, float* scratch) {
  non_local_means_chunk(launcher, k, layout, frame, chunk, scratch, non_local_means_tile());
}

void non_local_means_chunk(const Launcher& launcher, const NonLocalMeansKernel& k, const NonLocalMeansLayout& layout,
                           int frame, int chunk, float* scratch, NonLocalMeansTileFunction tile_function) {
  const ChunkSlices s = slices_of(k, layout, chunk);
  const std::int64_t frame_voxels = static_cast<std::int64_t>(k.nx) * k.ny * k.nz;
  const float* volume = k.in + frame * frame_voxels;
  float* output = k.out + frame * frame_voxels;
  const NonLocalMeansKernel::Weights weights = k.weights(frame);

  float* padded = scratch;
  float* sum = scratch + layout.array;
  float* weight = sum + layout.array;
  const int padded_begin = s.reach_begin - k.patch_z;
  fill_padded(launcher, k, layout, volume, padded_begin, s.reach_end + k.patch_z, padded);
  parallel_for(launcher, 2 * layout.array, 1 << 16,
               [&](std::int64_t b, std::int64_t e) { std::fill(sum + b, sum + e, 0.0F); });

  const std::int64_t origin = -padded_begin * layout.plane + k.patch_y * layout.pitch + kRowPad;
  NonLocalMeansTile tile{};
  tile.padded = padded + origin;
  tile.sum = sum + origin;
  tile.weight = weight + origin;
  tile.pitch = layout.pitch;
  tile.plane = layout.plane;
  tile.nx = k.nx;
  tile.ny = k.ny;
  tile.nz = std::min(k.nz, s.reach_end);
  tile.chunk_begin = s.begin;
  tile.search_x = k.search_x;
  tile.search_y = k.search_y;
  tile.search_z = k.search_z;
  tile.patch_x = k.patch_x;
  tile.patch_y = k.patch_y;
  tile.patch_z = k.patch_z;
  tile.scale = weights.scale;
  tile.offset = weights.offset;

  const int rows = tile_rows(k), slices = tile_slices(k);
  const int tiles_y = (k.ny + rows - 1) / rows;
  const int tiles_z = (s.end - s.reach_begin + slices - 1) / slices;
  for (int colour = 0; colour < 4; ++colour) {
    const int count_y = (tiles_y - (colour & 1) + 1) / 2;
    const int count_z = (tiles_z - (colour >> 1) + 1) / 2;
    parallel_for(launcher, static_cast<std::int64_t>(count_y) * count_z, 1, [&](std::int64_t b, std::int64_t e) {
      for (std::int64_t i = b; i < e; ++i) {
        NonLocalMeansTile mine = tile;
        mine.y_begin = (2 * static_cast<int>(i % count_y) + (colour & 1)) * rows;
        mine.y_end = std::min(k.ny, mine.y_begin + rows);
        mine.z_begin = s.reach_begin + (2 * static_cast<int>(i / count_y) + (colour >> 1)) * slices;
        mine.z_end = std::min(s.end, mine.z_begin + slices);
        tile_function(mine);
      }
    });
  }

  parallel_for(launcher, static_cast<std::int64_t>(s.end - s.begin) * k.ny, 16, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t r = b; r < e; ++r) {
      const std::int64_t y = r % k.ny, z = s.begin + r / k.ny;
      const std::int64_t at = origin + z * layout.plane + y * layout.pitch;
      float* to = output + (z * k.ny + y) * k.nx;
      for (int x = 0; x < k.nx; ++x) to[x] = (sum[at + x] + padded[at + x]) / (weight[at + x] + 1.0F);
    }
  });
}

}  // namespace isocenter::detail
