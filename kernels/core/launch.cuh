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
  if (x >= nx) return;
  const std::int64_t step_y = static_cast<std::int64_t>(gridDim.y) * blockDim.y,
                     step_z = static_cast<std::int64_t>(gridDim.z) * blockDim.z;
  for (std::int64_t z = blockIdx.z * blockDim.z + threadIdx.z; z < nz; z += step_z)
    for (std::int64_t y = blockIdx.y * blockDim.y + threadIdx.y; y < ny; y += step_y)
      kernel(Scalar{}, x, static_cast<int>(y), static_cast<int>(z));
}

/// An empty grid, which CUDA refuses to launch, is done at once. A grid has at most 65,535 blocks along y and z (CUDA
/// C++ Programming Guide, "Technical Specifications per Compute Capability"): threads stride over what is more.
template <class K>
int enqueue_grid(const void* args, std::int64_t nx, std::int64_t ny, std::int64_t nz, void* stream) {
  if (nx <= 0 || ny <= 0 || nz <= 0) return 0;
  constexpr std::int64_t most = 65535;
  const dim3 block(32, 4, 2);
  const auto blocks = [](std::int64_t n, unsigned size) { return (n + size - 1) / size; };
  const auto limited = [](std::int64_t n) { return static_cast<unsigned>(n < most ? n : most); };
  const dim3 grid(static_cast<unsigned>(blocks(nx, block.x)), limited(blocks(ny, block.y)),
                  limited(blocks(nz, block.z)));
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
