#pragma once
// CUDA side of launch.hpp. A kernel's .cu file is three lines:
//   #include "core/launch.cuh"
//   #include "denoise/bilateral.hpp"
//   ISOCENTER_CUDA_KERNELS(denoise_bilateral, ISOCENTER_CUDA_KERNEL(isocenter::detail::BilateralKernel))
// The name is <module>_<file>; CMake (isocenter_cuda_kernels) writes the table of all such lists into the CUDA module.
#include "core/launch.hpp"

namespace isocenter::detail {

template <class K>
__global__ void grid_kernel(const K kernel, int nx, int ny, int nz) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= nx || y >= ny) return;
  for (int z = blockIdx.z * blockDim.z + threadIdx.z; z < nz; z += gridDim.z * blockDim.z) kernel(Scalar{}, x, y, z);
}

template <class K>
int enqueue_grid(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  const dim3 block(32, 4, 2);
  const auto blocks = [](std::int64_t n, unsigned size) { return static_cast<unsigned>((n + size - 1) / size); };
  const dim3 grid(blocks(nx, block.x), blocks(ny, block.y), blocks(nz < 65535 ? nz : 65535, block.z));
  grid_kernel<K><<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(
      *static_cast<const K*>(args), static_cast<int>(nx), static_cast<int>(ny), static_cast<int>(nz));
  return static_cast<int>(cudaGetLastError());
}

}  // namespace isocenter::detail

#define ISOCENTER_CUDA_KERNEL(K) \
  isocenter::detail::DeviceKernel { K::name, sizeof(K), &isocenter::detail::enqueue_grid<K> }
#define ISOCENTER_CUDA_KERNELS(list, ...)                                            \
  const isocenter::detail::DeviceKernel* isocenter_cuda_kernels_##list(int* count) { \
    static const isocenter::detail::DeviceKernel kernels[] = {__VA_ARGS__};          \
    *count = static_cast<int>(sizeof kernels / sizeof kernels[0]);                   \
    return kernels;                                                                  \
  }
