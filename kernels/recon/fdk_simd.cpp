#include "recon/fdk_simd.hpp"

#include <algorithm>
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
  return variant.tile.scratch_of(concurrency);
}

bool fdk_back_project_tiles(const Launcher& launcher, const FdkTileVariant& variant, const FdkBackProject& whole,
                            void* scratch, const FdkStop& stop) {
  const FdkColumns job(whole);
  const float step = largest_row_step(job);
  if (!(step <= largest_step)) return false;
  const bool wide = step > near_step;
  // The rows of a block of z must fit into a line, with the registers that are read past them.
  const int fitting = static_cast<int>(static_cast<float>(variant.line_length - 64) / std::max(step, 1.0F)) / 16 * 16;
  ColumnTile tile = variant.tile;
  if (wide) tile.z = std::min(tile.z, fitting);
  for_column_tiles(launcher, job, tile, scratch, stop,
                   [&](int x0, int y0, int z0, int mz, void* part) { variant.run(job, wide, x0, y0, z0, mz, part); });
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
