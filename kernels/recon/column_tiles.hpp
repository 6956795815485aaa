#pragma once
// What tuned back projections along voxel columns share: tiles of columns over the threads, and a tile's way into the
// volume.
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/fdk_simd.hpp"

namespace isocenter::detail {

/// The extent of a tile of voxel columns, and the scratch that a thread needs to fill it.
struct ColumnTile {
  int x, y, z;
  std::uint64_t scratch_bytes;

  std::uint64_t scratch_of(int concurrency) const {
    return (scratch_bytes + 63) / 64 * 64 * static_cast<std::uint64_t>(concurrency);
  }
};

/// Calls run(x0, y0, z0, mz, scratch) for every tile of the job, on the launcher's threads, until `stop` says so.
template <class Run>
void for_column_tiles(const Launcher& launcher, const FdkColumns& job, const ColumnTile& tile, void* scratch,
                      const FdkStop& stop, Run&& run) {
  const int across = (job.nx + tile.x - 1) / tile.x, down = (job.ny + tile.y - 1) / tile.y;
  const std::int64_t tiles = static_cast<std::int64_t>(across) * down * ((job.nz + tile.z - 1) / tile.z);
  std::atomic<std::int64_t> next{0};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      void* part = static_cast<char*>(scratch) + tile.scratch_of(1) * static_cast<std::uint64_t>(slot);
      for (std::int64_t t = next++; t < tiles; t = next++) {
        if (stop.asked != nullptr && stop.asked(stop.user)) break;
        const int z0 = static_cast<int>(t / across / down) * tile.z;
        run(static_cast<int>(t % across) * tile.x, static_cast<int>(t / across % down) * tile.y, z0,
            std::min(tile.z, job.nz - z0), part);
      }
    }
  });
}

/// Adds a tile's voxel columns (column (x, y) at sums + (y * tile_x + x) * column_stride) to the volume, or puts them
/// there.
inline void write_column_tile(const FdkColumns& job, const float* sums, int tile_x, int column_stride, int x0, int y0,
                              int z0, int mx, int my, int mz) {
  float* corner = job.volume + x0 * job.x_stride + y0 * job.y_stride + z0 * job.z_stride;
  const auto put = [&](float* voxel, float sum) { *voxel = (job.goes_on ? *voxel : job.initial) + sum; };
  if (job.z_stride == 1) {
    for (int y = 0; y < my; ++y)
      for (int x = 0; x < mx; ++x) {
        float* column = corner + y * job.y_stride + x * job.x_stride;
        const float* from = sums + (y * tile_x + x) * column_stride;
        for (int z = 0; z < mz; ++z) put(column + z, from[z]);
      }
    return;
  }
  for (int z = 0; z < mz; ++z)
    for (int y = 0; y < my; ++y) {
      float* row = corner + z * job.z_stride + y * job.y_stride;
      const float* from = sums + y * tile_x * column_stride + z;
      for (int x = 0; x < mx; ++x) put(row + x, from[x * column_stride]);  // then x is contiguous
    }
}

}  // namespace isocenter::detail
