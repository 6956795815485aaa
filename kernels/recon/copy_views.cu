#include "core/launch.cuh"
#include "recon/copy_views.hpp"
ISOCENTER_CUDA_KERNELS(recon_copy_views, ISOCENTER_CUDA_KERNEL(isocenter::detail::CopyViews))
