#include "core/launch.cuh"
#include "recon/fbp.hpp"
ISOCENTER_CUDA_KERNELS(recon_fbp, ISOCENTER_CUDA_KERNEL(isocenter::detail::FbpBackProject),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FbpWeightLines),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FbpArrange))
