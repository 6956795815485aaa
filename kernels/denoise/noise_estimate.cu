// Kernels of noise_estimate.hpp for CUDA: the residuals from the shared functor, the counts with integer atomics.
// Never run so far: compiled only.
#include "core/launch.cuh"
#include "denoise/noise_estimate.hpp"

namespace isocenter::detail {
namespace {

__global__ void count_kernel(const NoiseMedian m) {
  const std::uint32_t upper = m.words[NoiseMedian::upper_half];
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < m.voxels; i += step)
    if (const int bin = noise_bin(m.residuals[i], m.round, upper); bin >= 0) atomicAdd(&m.counts[bin], 1U);
}

/// One thread: 65,536 bins twice a frame take well below a millisecond.
__global__ void select_kernel(const NoiseMedian m) { noise_select(m); }

/// Zeroes the bins and, before the first round, the words; then counts.
int enqueue_count(const void* args, std::int64_t, std::int64_t, std::int64_t, void* stream) {
  const auto& m = *static_cast<const NoiseMedian*>(args);
  const auto s = static_cast<cudaStream_t>(stream);
  cudaError_t error = cudaMemsetAsync(m.counts, 0, NoiseMedian::bins * sizeof(std::uint32_t), s);
  if (error == cudaSuccess && m.round == 0) error = cudaMemsetAsync(m.words, 0, 3 * sizeof(std::uint32_t), s);
  if (error != cudaSuccess) return static_cast<int>(error);
  count_kernel<<<1024, 256, 0, s>>>(m);
  return static_cast<int>(cudaGetLastError());
}

int enqueue_select(const void* args, std::int64_t, std::int64_t, std::int64_t, void* stream) {
  select_kernel<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(*static_cast<const NoiseMedian*>(args));
  return static_cast<int>(cudaGetLastError());
}

}  // namespace
}  // namespace isocenter::detail

ISOCENTER_CUDA_KERNELS(denoise_noise_estimate, ISOCENTER_CUDA_KERNEL(isocenter::detail::ResidualKernel),
                       isocenter::detail::DeviceKernel{isocenter::detail::NoiseMedian::count_name,
                                                       sizeof(isocenter::detail::NoiseMedian),
                                                       &isocenter::detail::enqueue_count},
                       isocenter::detail::DeviceKernel{isocenter::detail::NoiseMedian::select_name,
                                                       sizeof(isocenter::detail::NoiseMedian),
                                                       &isocenter::detail::enqueue_select})
