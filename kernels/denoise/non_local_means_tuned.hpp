#pragma once
// The CPU's fast non-local means. It computes what NonLocalMeansKernel says, in another order:
//
// - For one offset o the patch distances of all voxels are a box filter of the squared differences (u(x) - u(x + o))²
//   (Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008, section 3), which costs
//   the same work for each voxel and vectorises along x.
// - The distance of x to x + o is that of x + o to x: each is computed once and serves both, half of the offsets.
// - Rows are walked so that for fixed (dy, dz) all dx work on the same few rows, which stay in the first-level cache.
// - Threads share the accumulators without locks: the volume is cut into tiles as wide as the reach of an offset, and
//   tiles of one colour of a checkerboard, which never touch the same voxel, run together. The colours run in a fixed
//   order, so the result does not depend on the number of threads.
//
// The volume is worked off in chunks of slices, so that scratch memory stays bounded; see non_local_means_layout.
#include <cstddef>
#include <cstdint>

#include "core/launch.hpp"
#include "denoise/non_local_means.hpp"

namespace isocenter::detail {

/// How a volume is cut up and what scratch memory that takes. The cut decides in which order a voxel's terms are added,
/// so the result is the same, bit for bit, for the same volume, radii and scratch target, on any number of threads.
struct NonLocalMeansLayout {
  int chunk_slices;    ///< slices of output per chunk
  int chunks;          ///< per time frame
  std::int64_t pitch;  ///< floats from row to row of the padded arrays
  std::int64_t plane;  ///< floats from slice to slice
  std::int64_t array;  ///< floats of one padded array
  std::size_t scratch_bytes;
};
/// Chunks as deep as `scratch_target` (256 MiB at most) allows, and 16 slices at least.
NonLocalMeansLayout non_local_means_layout(const NonLocalMeansKernel& kernel, std::uint64_t scratch_target);

/// Whether the tuned variant covers these radii: search up to 15, patch up to 3.
bool non_local_means_tuned_covers(const NonLocalMeansKernel& kernel);

/// Filters the slices of one chunk of one frame. `scratch` has scratch_bytes, aligned to 64. Which instruction set is
/// used is decided once for the process: AVX-512, AVX2 or what the compiler takes for granted.
void non_local_means_chunk(const Launcher& launcher, const NonLocalMeansKernel& kernel,
                           const NonLocalMeansLayout& layout, int frame, int chunk, float* scratch);

/// One tile of one chunk, as each instruction set implements it. Pointers are at voxel (0, 0, 0) of the frame.
struct NonLocalMeansTile {
  const float* padded;
  float* sum;
  float* weight;
  std::int64_t pitch, plane;
  int nx, ny, nz;
  int y_begin, y_end, z_begin, z_end;  ///< voxels whose forward offsets this tile computes
  int chunk_begin;                     ///< pairs with both voxels before this slice belong to an earlier chunk
  int search_x, search_y, search_z, patch_x, patch_y, patch_z;
  float scale, offset;  ///< NonLocalMeansKernel::Weights
};
using NonLocalMeansTileFunction = void (*)(const NonLocalMeansTile&);
void non_local_means_tile_base(const NonLocalMeansTile& tile);
#if defined(__x86_64__)
void non_local_means_tile_avx2(const NonLocalMeansTile& tile);
void non_local_means_tile_avx512(const NonLocalMeansTile& tile);
#endif
/// The fastest of them that this processor runs.
NonLocalMeansTileFunction non_local_means_tile();

/// Same, with a chosen instruction set: for tests and benchmarks.
void non_local_means_chunk(const Launcher& launcher, const NonLocalMeansKernel& kernel,
                           const NonLocalMeansLayout& layout, int frame, int chunk, float* scratch,
                           NonLocalMeansTileFunction tile_function);

}  // namespace isocenter::detail
