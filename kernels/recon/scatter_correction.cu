#include "core/launch.cuh"
#include "recon/scatter_correction.hpp"
ISOCENTER_CUDA_KERNELS(recon_scatter_correction, ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterCoarsen),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterSource),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterBlur),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterMean),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterCombine),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScatterSubtract))
