#include "core/launch.cuh"
#include "recon/vector_kernels.hpp"
ISOCENTER_CUDA_KERNELS(recon_vector_kernels, ISOCENTER_CUDA_KERNEL(isocenter::detail::FillFloats))
