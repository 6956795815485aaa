// FDK on CUDA: the reference functors, the tuned back projection and the tuned transposition.
//
// Back projection, tuned. Detector columns run along the volume's z axis (or another, renamed), so that a voxel column
// meets one detector column u and one weight in each view. A warp takes 32 neighbouring z of one voxel column: u, w and
// their interpolation are the same in all lanes, and the four samples of a lane lie next to its neighbours' (views are
// stored transposed, rows contiguous), so that each of the four reads of a warp is one or two cache lines. A thread
// holds zs_per_thread voxels, 32 apart, in registers over all views of the pass; eight warps take eight neighbouring x,
// which share detector columns in the first-level cache, and turn their sums round in shared memory, so that the volume
// is written in whole sectors, once a pass.
//
// Floor for one update: four reads of 4 bytes, in 128-byte lines over 32 lanes: about 5 to 6 first-level cycles a warp
// at 128 bytes a cycle (132 processors at 1.7 GHz: about 1300 GUPS), and about 14 arithmetic instructions (about 2000
// GUPS); the volume's traffic is 8 bytes / views-of-a-pass. Never run so far: compiled only.
#include "core/launch.cuh"
#include "recon/fdk.hpp"
#include "recon/fdk_device_filter.hpp"

namespace isocenter::detail {
namespace {

constexpr int kZsPerThread = 4;
constexpr int kXs = 8;                  // voxel columns of a block, one warp each
constexpr int kZs = 32 * kZsPerThread;  // voxels of a column that a block takes
constexpr int kViewsAtOnce = 32;        // matrices in shared memory

__global__ void __launch_bounds__(32 * kXs) columns_kernel(const FdkColumns job) {
  __shared__ float matrix[kViewsAtOnce * 12];
  __shared__ float turned[kZs][kXs + 1];
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const int thread = warp * 32 + lane;
  const int x0 = static_cast<int>(blockIdx.x) * kXs, z0 = static_cast<int>(blockIdx.z) * kZs;
  const int y = static_cast<int>(blockIdx.y);
  const float xf = static_cast<float>(x0 + warp), yf = static_cast<float>(y);
  const float columns = static_cast<float>(job.stack.columns);
  const float z_first = static_cast<float>(z0 + lane);

  float sum[kZsPerThread] = {};
  for (int first = 0; first < job.views; first += kViewsAtOnce) {
    const int count = job.views - first < kViewsAtOnce ? job.views - first : kViewsAtOnce;
    __syncthreads();  // the last turn's readers are done
    for (int i = thread; i < count * 12; i += 32 * kXs) {
      const int k = i % 4, column = k == 0 ? job.x_axis : k == 1 ? job.y_axis : k == 2 ? job.z_axis : 3;
      matrix[i] = job.matrices[first + i / 12].m[i % 12 - k + column];
    }
    __syncthreads();
    for (int n = 0; n < count; ++n) {
      const float* m = matrix + 12 * n;
      const float r = 1.0F / (m[8] * xf + (m[9] * yf + m[11]));
      const float u = (m[0] * xf + (m[1] * yf + m[3])) * r;
      if (!(u > -1.0F && u < columns)) continue;  // the same for the whole warp
      const int iu = __float2int_rd(u);
      const float fu = u - static_cast<float>(iu);
      const float weight0 = r * r * (1.0F - fu), weight1 = r * r * fu;
      const float* p = job.stack.column(first + n, iu);
      const float* q = p + job.stack.row_stride;
      const float step = m[6] * r;
      const float v_first = (m[4] * xf + (m[5] * yf + m[7])) * r + z_first * step;
#pragma unroll
      for (int k = 0; k < kZsPerThread; ++k) {
        const float v = v_first + static_cast<float>(32 * k) * step;
        const float whole = floorf(v);
        // Rows -2, -1, rows and rows + 1 are zeros, so that clamping the row is enough.
        const int iv = static_cast<int>(fminf(fmaxf(whole, -2.0F), static_cast<float>(job.stack.rows)));
        const float fv = v - whole;
        const float low = weight0 * __ldg(p + iv) + weight1 * __ldg(q + iv);
        const float high = weight0 * __ldg(p + iv + 1) + weight1 * __ldg(q + iv + 1);
        sum[k] += low + fv * (high - low);
      }
    }
  }

#pragma unroll
  for (int k = 0; k < kZsPerThread; ++k) turned[32 * k + lane][warp] = sum[k];
  __syncthreads();
  if (job.z_stride == 1) {  // then a warp's own voxels lie together
    for (int k = lane; k < kZs && z0 + k < job.nz && x0 + warp < job.nx; k += 32) {
      float* voxel = job.volume + y * job.y_stride + (x0 + warp) * job.x_stride + z0 + k;
      *voxel = (job.goes_on ? *voxel : job.initial) + turned[k][warp];
    }
    return;
  }
  const int x = x0 + thread % kXs;
  if (x >= job.nx) return;
  for (int k = thread / kXs; k < kZs && z0 + k < job.nz; k += 32) {
    float* voxel = job.volume + (z0 + k) * job.z_stride + y * job.y_stride + x * job.x_stride;
    *voxel = (job.goes_on ? *voxel : job.initial) + turned[k][thread % kXs];
  }
}

int enqueue_columns(const void* args, std::int64_t, std::int64_t, std::int64_t, void* stream) {
  const FdkColumns job(*static_cast<const FdkBackProject*>(args));
  const dim3 grid(static_cast<unsigned>((job.nx + kXs - 1) / kXs), static_cast<unsigned>(job.ny),
                  static_cast<unsigned>((job.nz + kZs - 1) / kZs));
  columns_kernel<<<grid, dim3(32, kXs), 0, static_cast<cudaStream_t>(stream)>>>(job);
  return static_cast<int>(cudaGetLastError());
}

// Filtered rows to the padded, transposed stack through 32 × 32 tiles of shared memory: reads and writes whole lines.
__global__ void __launch_bounds__(256) transpose_kernel(const FdkTranspose job, int views) {
  __shared__ float tile[32][33];
  const int lane = static_cast<int>(threadIdx.x);
  const int column0 = static_cast<int>(blockIdx.y) * 32 - 1, row0 = static_cast<int>(blockIdx.x) * 32 - FdkStack::pad;
  for (int n = static_cast<int>(blockIdx.z); n < views; n += static_cast<int>(gridDim.z)) {
    __syncthreads();  // the last turn's readers are done
    for (int k = static_cast<int>(threadIdx.y); k < 32; k += 8) {
      const int row = row0 + k, column = column0 + lane;
      const bool inside = row >= 0 && row < job.stack.rows && column >= 0 && column < job.stack.columns;
      tile[k][lane] =
          inside ? job.padded[(static_cast<std::int64_t>(n) * job.stack.rows + row) * job.length + column] : 0.0F;
    }
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.y); k < 32; k += 8) {
      const int column = column0 + k, row = row0 + lane;
      if (column <= job.stack.columns && row + FdkStack::pad < job.stack.row_stride)
        job.stack.column(n, column)[row] = tile[lane][k];
    }
  }
}

int enqueue_transpose(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  const dim3 grid(static_cast<unsigned>((nx + 31) / 32), static_cast<unsigned>((ny + 31) / 32),
                  static_cast<unsigned>(nz < 65535 ? nz : 65535));
  transpose_kernel<<<grid, dim3(32, 8), 0, static_cast<cudaStream_t>(stream)>>>(*static_cast<const FdkTranspose*>(args),
                                                                                static_cast<int>(nz));
  return static_cast<int>(cudaGetLastError());
}

}  // namespace
}  // namespace isocenter::detail

ISOCENTER_CUDA_KERNELS(recon_fdk, ISOCENTER_CUDA_KERNEL(isocenter::detail::FdkBackProject),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FdkWeightRows),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FdkMultiplyResponse),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FdkTranspose),
                       isocenter::detail::DeviceKernel{"recon/fdk_back_project_columns",
                                                       sizeof(isocenter::detail::FdkBackProject),
                                                       &isocenter::detail::enqueue_columns},
                       isocenter::detail::DeviceKernel{"recon/fdk_transpose_tuned",
                                                       sizeof(isocenter::detail::FdkTranspose),
                                                       &isocenter::detail::enqueue_transpose})
