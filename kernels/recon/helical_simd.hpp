#pragma once
// Back projection of a helix on the CPU along voxel columns: where a column meets a ray's view, with which cone angle
// and from which height, is computed once for all of its voxels.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/column_tiles.hpp"
#include "recon/helical.hpp"

namespace isocenter::detail {

struct HelicalVariant {
  /// All directions into voxels x0 .., y0 .. (a tile) and z0 .. z0 + mz - 1. `wide`: a voxel is higher than 1.7 rows.
  void (*run)(const HelicalBackProject& job, const FdkColumns& columns, bool wide, int x0, int y0, int z0, int mz,
              void* scratch);
  const char* name;
  ColumnTile tile;
  int line_length;
};

const HelicalVariant* helical_variant_avx512();  ///< null on other processors
const HelicalVariant* helical_variant_avx2();
const HelicalVariant* helical_variant_of_this_processor();  ///< the best, or null

/// The same sum as HelicalBackProject: ‖difference‖ / ‖sum‖ < 3e-5 even for views of white noise where every voxel is
/// well inside the detector in some view of each direction; a voxel that is only just met by a ray may miss it here and
/// not there. Same bits for any number of threads. False, with nothing done, when a voxel is more than 32 rows high.
bool helical_back_project_by(const Launcher& launcher, const HelicalVariant& variant, const HelicalBackProject& job,
                             void* scratch, const FdkStop& stop = {});

}  // namespace isocenter::detail
