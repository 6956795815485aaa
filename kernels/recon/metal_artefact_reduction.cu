#include "core/launch.cuh"
#include "recon/metal_artefact_reduction.hpp"
ISOCENTER_CUDA_KERNELS(recon_metal_artefact_reduction, ISOCENTER_CUDA_KERNEL(isocenter::detail::MetalPriorKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MetalInpaint))
