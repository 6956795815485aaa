// Non-local means on CUDA: the reference functor, and the tuned kernel.
//
// Tuned: a block's tile of the volume lies in shared memory with the reach of search and patch around it. A warp holds
// a row of 32 columns, of which 32 - 2 px give output; a thread holds 4 rows × 4 slices of its column and their patch
// margin in registers. For each offset it reads the shifted column from shared memory (one read for each difference),
// sums the squared differences over y and z in registers and over x with warp shuffles. No synchronisation inside the
// search, no atomics, a fixed order: results repeat bit for bit.
//
// Cost for patches of 3³ and one offset, for each of the 16 outputs of a thread: 36/16 shared reads, 2 shuffles, about
// 20 float operations; shared memory and arithmetic are about balanced. Never run so far: compiled only.
#include "core/launch.cuh"
#include "denoise/non_local_means.hpp"

namespace isocenter::detail {
namespace {

constexpr int kRows = 4, kSlices = 4;    // outputs of one thread
constexpr int kWarpsY = 2, kWarpsZ = 4;  // warps of one block
constexpr int kTileY = kRows * kWarpsY, kTileZ = kSlices * kWarpsZ;
constexpr unsigned kThreads = 32 * kWarpsY * kWarpsZ;
constexpr unsigned kAllLanes = 0xffffffffU;

/// Extents of the tile in shared memory: x with the lanes' own margin, y and z with the patch margin.
struct Tile {
  int nx, ny, nz;
};
template <int PX, int PY, int PZ>
__host__ __device__ Tile tile_of(const NonLocalMeansKernel& k) {
  return {32 + 2 * k.search_x, kTileY + 2 * (k.search_y + PY), kTileZ + 2 * (k.search_z + PZ)};
}

template <int PX, int PY, int PZ>
__global__ void __launch_bounds__(kThreads, 1) tuned_kernel(const NonLocalMeansKernel k, int frames_and_tiles_z) {
  extern __shared__ float tile[];
  const Tile t = tile_of<PX, PY, PZ>(k);
  const int tiles_z = (k.nz + kTileZ - 1) / kTileZ;
  const int x_begin = static_cast<int>(blockIdx.x) * (32 - 2 * PX) - PX;  // of lane 0
  const int y_begin = static_cast<int>(blockIdx.y) * kTileY;
  const int lane = static_cast<int>(threadIdx.x);
  const int warp_y = static_cast<int>(threadIdx.y) % kWarpsY, warp_z = static_cast<int>(threadIdx.y) / kWarpsY;

  for (int work = static_cast<int>(blockIdx.z); work < frames_and_tiles_z; work += static_cast<int>(gridDim.z)) {
    const int frame = work / tiles_z, z_begin = work % tiles_z * kTileZ;
    const std::int64_t plane = static_cast<std::int64_t>(k.nx) * k.ny;
    const float* volume = k.in + frame * plane * k.nz;
    const NonLocalMeansKernel::Weights weights = k.weights(frame);

    // The tile, nearest voxel beyond the border.
    __syncthreads();  // the last turn's readers are done
    for (int i = static_cast<int>(threadIdx.y) * 32 + lane; i < t.nx * t.ny * t.nz; i += static_cast<int>(kThreads)) {
      const int x = clamp(x_begin - k.search_x + i % t.nx, 0, k.nx - 1);
      const int y = clamp(y_begin - k.search_y - PY + i / t.nx % t.ny, 0, k.ny - 1);
      const int z = clamp(z_begin - k.search_z - PZ + i / t.nx / t.ny, 0, k.nz - 1);
      tile[i] = volume[z * plane + static_cast<std::int64_t>(y) * k.nx + x];
    }
    __syncthreads();

    // This thread's column: rows [-PY, kRows + PY), slices [-PZ, kSlices + PZ) around its outputs.
    const int column =
        ((warp_z * kSlices + k.search_z) * t.ny + warp_y * kRows + k.search_y) * t.nx + lane + k.search_x;
    float centre[kSlices + 2 * PZ][kRows + 2 * PY];
#pragma unroll
    for (int j = 0; j < kSlices + 2 * PZ; ++j)
#pragma unroll
      for (int i = 0; i < kRows + 2 * PY; ++i) centre[j][i] = tile[column + (j * t.ny + i) * t.nx];

    const int x = x_begin + lane, y = y_begin + warp_y * kRows, z = z_begin + warp_z * kSlices;
    float sum[kSlices][kRows], weight[kSlices][kRows];
#pragma unroll
    for (int j = 0; j < kSlices; ++j)
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        sum[j][i] = centre[j + PZ][i + PY];
        weight[j][i] = 1.0F;
      }

    for (int dz = -k.search_z; dz <= k.search_z; ++dz) {
      for (int dy = -k.search_y; dy <= k.search_y; ++dy) {
        for (int dx = -k.search_x; dx <= k.search_x; ++dx) {
          if (dx == 0 && dy == 0 && dz == 0) continue;
          const int shifted = column + (dz * t.ny + dy) * t.nx + dx;
          float value[kSlices][kRows], distance[kSlices][kRows];
#pragma unroll
          for (int j = 0; j < kSlices; ++j)
#pragma unroll
            for (int i = 0; i < kRows; ++i) distance[j][i] = 0.0F;
              // Squared differences slice by slice, each summed over its rows' windows and then into its slices'
              // windows.
#pragma unroll
          for (int j = 0; j < kSlices + 2 * PZ; ++j) {
            float squared[kRows + 2 * PY];
#pragma unroll
            for (int i = 0; i < kRows + 2 * PY; ++i) {
              const float v = tile[shifted + (j * t.ny + i) * t.nx];
              const float d = centre[j][i] - v;
              squared[i] = d * d;
              if (j >= PZ && j < kSlices + PZ && i >= PY && i < kRows + PY) value[j - PZ][i - PY] = v;
            }
#pragma unroll
            for (int i = 0; i < kRows; ++i) {
              float rows = squared[i];
#pragma unroll
              for (int p = 1; p <= 2 * PY; ++p) rows += squared[i + p];
#pragma unroll
              for (int p = 0; p <= 2 * PZ; ++p)
                if (j - p >= 0 && j - p < kSlices) distance[j - p][i] += rows;
            }
          }
          const bool inside_x = x + dx >= 0 && x + dx < k.nx;
#pragma unroll
          for (int j = 0; j < kSlices; ++j) {
#pragma unroll
            for (int i = 0; i < kRows; ++i) {
              float d2 = distance[j][i];
#pragma unroll
              for (int p = 1; p <= PX; ++p)
                d2 += __shfl_up_sync(kAllLanes, distance[j][i], p) + __shfl_down_sync(kAllLanes, distance[j][i], p);
              const bool inside =
                  inside_x && y + i + dy >= 0 && y + i + dy < k.ny && z + j + dz >= 0 && z + j + dz < k.nz;
              const float exponent = fmaxf(d2 * weights.scale - weights.offset, 0.0F);
              const float w = inside ? __expf(-exponent) : 0.0F;
              sum[j][i] += w * value[j][i];
              weight[j][i] += w;
            }
          }
        }
      }
    }

    if (lane < PX || lane >= 32 - PX || x >= k.nx) continue;
    float* output = k.out + frame * plane * k.nz;
#pragma unroll
    for (int j = 0; j < kSlices; ++j)
#pragma unroll
      for (int i = 0; i < kRows; ++i)
        if (y + i < k.ny && z + j < k.nz)
          output[(z + j) * plane + static_cast<std::int64_t>(y + i) * k.nx + x] = sum[j][i] / weight[j][i];
  }
}

template <int PX, int PY, int PZ>
int enqueue_tile(const NonLocalMeansKernel& k, std::int64_t frames, cudaStream_t stream) {
  const Tile t = tile_of<PX, PY, PZ>(k);
  const std::size_t shared = static_cast<std::size_t>(t.nx) * t.ny * t.nz * sizeof(float);
  int device = 0, limit = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error != cudaSuccess) return static_cast<int>(error);
  if (shared > static_cast<std::size_t>(limit))
    return enqueue_grid<NonLocalMeansKernel>(&k, k.nx, k.ny, static_cast<std::int64_t>(k.nz) * frames, stream);
  error = cudaFuncSetAttribute(tuned_kernel<PX, PY, PZ>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared));
  if (error != cudaSuccess) return static_cast<int>(error);
  const int work = static_cast<int>(frames) * ((k.nz + kTileZ - 1) / kTileZ);
  const int width = 32 - 2 * PX;
  const dim3 grid(static_cast<unsigned>((k.nx + width - 1) / width),
                  static_cast<unsigned>((k.ny + kTileY - 1) / kTileY),
                  static_cast<unsigned>(work < 65535 ? work : 65535));
  tuned_kernel<PX, PY, PZ><<<grid, dim3(32, kWarpsY * kWarpsZ), shared, stream>>>(k, work);
  return static_cast<int>(cudaGetLastError());
}

/// Positions: nx × ny × (nz · frames), as the reference. Patch radii that have no instance, and search boxes that do
/// not fit into shared memory, run the reference.
int enqueue_tuned(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  const auto& k = *static_cast<const NonLocalMeansKernel*>(args);
  const auto s = static_cast<cudaStream_t>(stream);
  const std::int64_t frames = nz / k.nz;
  if (k.patch_x == 1 && k.patch_y == 1 && k.patch_z == 1) return enqueue_tile<1, 1, 1>(k, frames, s);
  if (k.patch_x == 1 && k.patch_y == 1 && k.patch_z == 0) return enqueue_tile<1, 1, 0>(k, frames, s);
  if (k.patch_x == 2 && k.patch_y == 2 && k.patch_z == 0) return enqueue_tile<2, 2, 0>(k, frames, s);
  if (k.patch_x == 2 && k.patch_y == 2 && k.patch_z == 1) return enqueue_tile<2, 2, 1>(k, frames, s);
  if (k.patch_x == 2 && k.patch_y == 2 && k.patch_z == 2) return enqueue_tile<2, 2, 2>(k, frames, s);
  return enqueue_grid<NonLocalMeansKernel>(args, nx, ny, nz, stream);
}

}  // namespace
}  // namespace isocenter::detail

ISOCENTER_CUDA_KERNELS(denoise_non_local_means, ISOCENTER_CUDA_KERNEL(isocenter::detail::NonLocalMeansKernel),
                       isocenter::detail::DeviceKernel{isocenter::detail::NonLocalMeansKernel::tuned_name,
                                                       sizeof(isocenter::detail::NonLocalMeansKernel),
                                                       &isocenter::detail::enqueue_tuned})
