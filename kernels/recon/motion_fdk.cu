#include "core/launch.cuh"
#include "recon/motion_fdk.hpp"
ISOCENTER_CUDA_KERNELS(recon_motion_fdk, ISOCENTER_CUDA_KERNEL(isocenter::detail::MotionBlend),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MotionBackProject))
