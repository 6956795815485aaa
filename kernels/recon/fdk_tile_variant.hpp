#pragma once
// What an instruction set's file gives to fdk_simd.cpp.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/column_tiles.hpp"
#include "recon/fdk.hpp"
#include "recon/fdk_simd.hpp"

namespace isocenter::detail {

struct FdkTileVariant {
  /// Back-projects all views into voxels x0 .. , y0 .. (a tile) and z0 .. z0 + mz - 1. `wide`: rows are finer than
  /// 1 / 1.7 of a voxel.
  void (*run)(const FdkColumns& job, bool wide, int x0, int y0, int z0, int mz, void* scratch);
  const char* name;
  ColumnTile tile;
  int line_length;
};

const FdkTileVariant* fdk_variant_avx512();  ///< null on other processors
const FdkTileVariant* fdk_variant_avx2();

std::uint64_t fdk_tile_scratch(const FdkTileVariant& variant, int concurrency);

/// fdk_back_project_aligned by a given variant.
bool fdk_back_project_tiles(const Launcher& launcher, const FdkTileVariant& variant, const FdkBackProject& job,
                            void* scratch, const FdkStop& stop = {});

}  // namespace isocenter::detail
