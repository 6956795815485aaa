#include "core/launch.cuh"
#include "denoise/bilateral_denoise.hpp"
ISOCENTER_CUDA_KERNELS(denoise_bilateral_denoise, ISOCENTER_CUDA_KERNEL(isocenter::detail::BilateralKernel))
