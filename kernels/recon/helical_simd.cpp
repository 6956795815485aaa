#include "recon/helical_simd.hpp"

#include <algorithm>
#include <cmath>

namespace isocenter::detail {

namespace {

/// Rows from one voxel to the next, up to which the interpolation comes out of two registers.
constexpr float near_step = 1.7F;
constexpr float largest_step = 32.0F;

/// Rows from one slice to the next, at the voxel that is nearest to a source.
float largest_row_step(const HelicalBackProject& job) {
  const HelicalGeometry& g = job.g;
  float farthest = 0.0F;
  for (const int x : {0, job.nx - 1})
    for (const int y : {0, job.ny - 1})
      farthest = std::max(
          farthest, std::hypot(g.x_mm + static_cast<float>(x) * g.dx_mm, g.y_mm + static_cast<float>(y) * g.dy_mm));
  const float sine = std::min(farthest / g.radius_mm, 0.99F);
  const float slope = std::fabs(g.rows_per_slope * g.dz_mm) / (g.flat ? std::sqrt(1.0F - sine * sine) : 1.0F);
  return slope / std::max(g.radius_mm - farthest, 1.0F);
}

}  // namespace

const HelicalVariant* helical_variant_of_this_processor() {
  const HelicalVariant* best = helical_variant_avx512();
  return best != nullptr ? best : helical_variant_avx2();
}

bool helical_back_project_by(const Launcher& launcher, const HelicalVariant& variant, const HelicalBackProject& job,
                             void* scratch, const FdkStop& stop) {
  const float step = largest_row_step(job);
  if (!(step <= largest_step)) return false;
  const bool wide = step > near_step;
  ColumnTile tile = variant.tile;
  // The rows of a block of z must fit into a line, with the registers that are read past them.
  if (wide) tile.z = std::min(tile.z, static_cast<int>(static_cast<float>(variant.line_length - 128) / step) / 16 * 16);
  tile.z = std::max(tile.z, 16);
  const FdkColumns columns(
      FdkBackProject{job.stack, nullptr, job.views, job.volume, job.nx, job.ny, job.nz, job.initial, job.goes_on});
  for_column_tiles(launcher, columns, tile, scratch, stop, [&](int x0, int y0, int z0, int mz, void* part) {
    variant.run(job, columns, wide, x0, y0, z0, mz, part);
  });
  return true;
}

}  // namespace isocenter::detail
