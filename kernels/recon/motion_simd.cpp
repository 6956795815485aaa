#include "recon/motion_simd.hpp"

namespace isocenter::detail {

namespace {

/// Nodes from one voxel to the next, up to which displacements come out of two registers.
constexpr float most_nodes_per_voxel = 1.7F;

/// The volume's axes as FdkColumns names them.
struct Axes {
  int x, y, z;
  explicit Axes(int column_axis) : x(column_axis == 0 ? 1 : 0), y(column_axis == 2 ? 1 : 2), z(column_axis) {}
};

int column_floats(int nodes) { return (nodes + 15) / 16 * 16 + MotionColumns::room; }

}  // namespace

std::int64_t MotionColumns::view_floats(const MotionGrid& grid, int column_axis) {
  const int n[3] = {grid.nx, grid.ny, grid.nz};
  const Axes axis(column_axis);
  return 3LL * n[axis.x] * n[axis.y] * column_floats(n[axis.z]);
}

const MotionVariant* motion_variant_of_this_processor() {
  const MotionVariant* best = motion_variant_avx512();
  return best != nullptr ? best : motion_variant_avx2();
}

bool motion_field_is_coarse(const MotionGrid& grid, int column_axis) {
  return grid.per_voxel[column_axis] <= most_nodes_per_voxel;
}

MotionColumns motion_columns(const Launcher& launcher, const MotionBlend& field, const MotionBackProject& job,
                             float* memory) {
  const MotionGrid& g = job.grid;
  const Axes axis(job.column_axis);
  const int n[3] = {g.nx, g.ny, g.nz};
  const std::int64_t stride[3] = {1, g.nx, static_cast<std::int64_t>(g.nx) * g.ny};
  const MotionColumns columns{memory,
                              n[axis.x],
                              n[axis.y],
                              n[axis.z],
                              column_floats(n[axis.z]),
                              {g.origin[axis.x], g.origin[axis.y], g.origin[axis.z]},
                              {g.per_voxel[axis.x], g.per_voxel[axis.y], g.per_voxel[axis.z]}};
  const std::int64_t part = static_cast<std::int64_t>(columns.nx) * columns.ny * columns.x_stride;
  parallel_for(launcher, static_cast<std::int64_t>(job.views) * columns.ny, 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t view = i / columns.ny, y = i % columns.ny;
                   const MotionMoment moment = field.moments[view];
                   const float* m = job.matrices[view].m;
                   float* row = memory + view * columns.view_stride() + y * columns.nx * columns.x_stride;
                   for (std::int64_t x = 0; x < columns.nx; ++x) {
                     float* to = row + x * columns.x_stride;
                     const std::int64_t node = x * stride[axis.x] + y * stride[axis.y];
                     const std::int64_t a = moment.first * field.frame_stride + node,
                                        b = moment.second * field.frame_stride + node;
                     for (std::int64_t z = 0; z < columns.x_stride; ++z) {
                       // The room behind a column repeats its last node: finite, and of no weight.
                       const std::int64_t at = (z < columns.nz ? z : columns.nz - 1) * stride[axis.z];
                       const auto moved = [&](const float* mm, float voxels_per_mm) {
                         return (mm[a + at] + moment.part * (mm[b + at] - mm[a + at])) * voxels_per_mm;
                       };
                       const float dx = moved(field.x_mm, field.voxels_per_mm[0]),
                                   dy = moved(field.y_mm, field.voxels_per_mm[1]),
                                   dz = moved(field.z_mm, field.voxels_per_mm[2]);
                       to[z] = m[0] * dx + (m[1] * dy + m[2] * dz);
                       to[z + part] = m[4] * dx + (m[5] * dy + m[6] * dz);
                       to[z + 2 * part] = m[8] * dx + (m[9] * dy + m[10] * dz);
                     }
                   }
                 }
               });
  return columns;
}

bool motion_back_project_by(const Launcher& launcher, const MotionVariant& variant, const MotionBackProject& job,
                            const MotionColumns& field, void* scratch, const FdkStop& stop) {
  if (!motion_field_is_coarse(job.grid, job.column_axis)) return false;
  const FdkColumns columns(FdkBackProject{job.stack, job.matrices, job.views, job.volume, job.nx, job.ny, job.nz,
                                          job.initial, job.goes_on, job.column_axis});
  for_column_tiles(launcher, columns, variant.tile, scratch, stop, [&](int x0, int y0, int z0, int mz, void* part) {
    variant.run(columns, field, x0, y0, z0, mz, part);
  });
  return true;
}

}  // namespace isocenter::detail
