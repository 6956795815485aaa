#pragma once
// Motion-compensated back projection on the CPU along voxel columns: the displacements of a column are a line of the
// field's nodes, and where its voxels are seen follows from their sums with the column's own numbers.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/column_tiles.hpp"
#include "recon/motion_fdk.hpp"

namespace isocenter::detail {

/// What each view's field adds to a voxel's u w, v w and w (see FdkMatrix) at each node: three sets of node columns for
/// each view, nodes along the job's column axis contiguous.
struct MotionColumns {
  float* data;
  int nx, ny, nz;   ///< nodes along the volume's axes as FdkColumns names them
  int x_stride;     ///< floats from one node column to the next: nz, with room for the register read behind it
  float origin[3];  ///< as MotionGrid, axes as FdkColumns
  float per_voxel[3];

  static constexpr int room = 16;
  /// Floats of one view's fields on this grid, along whichever axis the columns run.
  static std::int64_t view_floats(const MotionGrid& grid, int column_axis);
  std::int64_t view_stride() const { return 3LL * nx * ny * x_stride; }
  const float* column(int view, int part, int x, int y) const {
    return data + view * view_stride() + ((static_cast<std::int64_t>(part) * ny + y) * nx + x) * x_stride;
  }
};

struct MotionVariant {
  /// All views into voxels x0 .., y0 .. (a tile) and z0 .. z0 + mz - 1.
  void (*run)(const FdkColumns& job, const MotionColumns& field, int x0, int y0, int z0, int mz, void* scratch);
  const char* name;
  ColumnTile tile;
};

const MotionVariant* motion_variant_avx512();  ///< null on other processors
const MotionVariant* motion_variant_avx2();
const MotionVariant* motion_variant_of_this_processor();  ///< the best, or null

/// Fills one view's part of MotionColumns for each view from the components in mm; `memory` holds
/// views × view_floats floats.
MotionColumns motion_columns(const Launcher& launcher, const MotionBlend& field, const MotionBackProject& job,
                             float* memory);

/// The same sum as MotionBackProject, but for job.blended, whose place motion_columns takes: ‖difference‖ / ‖sum‖ <
/// 1e-5 + 1e-7 · (rows + columns) even for views of white noise. Same bits for any number of threads. False, with
/// nothing done, when the field has more than 1.7 nodes for a voxel along the column axis.
bool motion_back_project_by(const Launcher& launcher, const MotionVariant& variant, const MotionBackProject& job,
                            const MotionColumns& field, void* scratch, const FdkStop& stop = {});

/// Whether motion_back_project_by takes a field on this grid.
bool motion_field_is_coarse(const MotionGrid& grid, int column_axis);

}  // namespace isocenter::detail
