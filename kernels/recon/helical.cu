#include "core/launch.cuh"
#include "recon/helical.hpp"
ISOCENTER_CUDA_KERNELS(recon_helical, ISOCENTER_CUDA_KERNEL(isocenter::detail::HelicalRebin),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::HelicalBackProject))
