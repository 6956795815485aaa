#include "core/launch.cuh"
#include "recon/detector_lag.hpp"
ISOCENTER_CUDA_KERNELS(recon_detector_lag, ISOCENTER_CUDA_KERNEL(isocenter::detail::DetectorLagKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ClearLagState))
