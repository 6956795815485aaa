#pragma once
// The largest connected part of a CT volume: the patient without the table. CPU only.
#include <cstdint>

#include "core/launch.hpp"

namespace isocenter::detail {

struct TableRemovalGrid {
  int nx, ny, nz;
  int gap_x, gap_y;  ///< pixels by which the opening shrinks what is dense
  float threshold, air;
};

/// Scratch bytes for one frame: two masks and one part number for each voxel.
std::uint64_t table_removal_scratch_bytes(const TableRemovalGrid& grid);

/// Copies the patient and writes air elsewhere. Gives the number of voxels that were kept.
std::int64_t remove_table(const Launcher& launcher, const TableRemovalGrid& grid, const float* in, float* out,
                          void* scratch);

}  // namespace isocenter::detail
