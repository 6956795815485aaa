#include "core/launch.cuh"
#include "recon/reading_check.hpp"
ISOCENTER_CUDA_KERNELS(recon_reading_check, ISOCENTER_CUDA_KERNEL(isocenter::detail::ReadingCheck),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FilteredCheck))
