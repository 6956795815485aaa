#include "recon/fdk_simd.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "recon/fdk_tile_variant.hpp"

namespace isocenter::detail {

namespace {

/// Rows from one voxel to the next, up to which the interpolation comes out of two registers.
constexpr float near_step = 1.7F;
constexpr float largest_step = 32.0F;

const FdkTileVariant* variant_of_this_processor() {
  const FdkTileVariant* best = fdk_variant_avx512();
  return best != nullptr ? best : fdk_variant_avx2();
}

/// The largest |dv| over the volume: the weight is linear in x and y, so that corners decide.
float largest_row_step(const FdkColumns& job) {
  float largest = 0.0F;
  for (int n = 0; n < job.views; ++n) {
    const float* m = job.matrices[n].m;
    for (const int x : {0, job.nx - 1})
      for (const int y : {0, job.ny - 1})
        largest = std::max(largest, std::fabs(m[4 + job.z_axis] / (m[8 + job.x_axis] * static_cast<float>(x) +
                                                                   m[8 + job.y_axis] * static_cast<float>(y) + m[11])));
  }
  return largest;
}

}  // namespace

bool fdk_is_aligned(const FdkMatrix* matrices, int views, int axis, int extent) {
  for (int n = 0; n < views; ++n) {
    const float* m = matrices[n].m;
    const float length = static_cast<float>(extent), u = std::fabs(m[axis]), w = std::fabs(m[8 + axis]);
    // A thousandth of a column over the whole length; the weight to a millionth.
    if (u * length > 1e-3F * std::fabs(m[11]) || w * length > 1e-6F * std::fabs(m[11])) return false;
  }
  return true;
}

std::uint64_t fdk_tile_scratch(const FdkTileVariant& variant, int concurrency) {
  return (variant.scratch_bytes + 63) / 64 * 64 * static_cast<std::uint64_t>(concurrency);
}

bool fdk_back_project_tiles(const Launcher& launcher, const FdkTileVariant& variant, const FdkBackProject& whole,
                            void* scratch, const FdkStop& stop) {
  const FdkColumns job(whole);
  const float step = largest_row_step(job);
  if (!(step <= largest_step)) return false;
  const bool wide = step > near_step;
  // The rows of a block of z must fit into a line, with the registers that are read past them.
  const int fitting = static_cast<int>(static_cast<float>(variant.line_length - 64) / std::max(step, 1.0F)) / 16 * 16;
  const int z_block = wide ? std::min(variant.z_block, fitting) : variant.z_block;
  const int across = (job.nx + variant.tile_x - 1) / variant.tile_x;
  const int down = (job.ny + variant.tile_y - 1) / variant.tile_y;
  const std::int64_t tiles = static_cast<std::int64_t>(across) * down * ((job.nz + z_block - 1) / z_block);
  std::atomic<std::int64_t> next{0};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      void* part = static_cast<char*>(scratch) + fdk_tile_scratch(variant, 1) * static_cast<std::uint64_t>(slot);
      for (std::int64_t t = next++; t < tiles; t = next++) {
        if (stop.asked != nullptr && stop.asked(stop.user)) break;
        const int x0 = static_cast<int>(t % across) * variant.tile_x;
        const int y0 = static_cast<int>(t / across % down) * variant.tile_y;
        const int z0 = static_cast<int>(t / across / down) * z_block;
        variant.run(job, wide, x0, y0, z0, std::min(z_block, job.nz - z0), part);
      }
    }
  });
  return true;
}

std::uint64_t fdk_aligned_scratch(int concurrency) {
  const FdkTileVariant* variant = variant_of_this_processor();
  return variant == nullptr ? 0 : fdk_tile_scratch(*variant, concurrency);
}

bool fdk_back_project_aligned(const Launcher& launcher, const FdkBackProject& job, void* scratch, const FdkStop& stop) {
  const FdkTileVariant* variant = variant_of_this_processor();
  return variant != nullptr && fdk_back_project_tiles(launcher, *variant, job, scratch, stop);
}

}  // namespace isocenter::detail
