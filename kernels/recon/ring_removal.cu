#include "core/launch.cuh"
#include "recon/ring_removal.hpp"
ISOCENTER_CUDA_KERNELS(recon_ring_removal, ISOCENTER_CUDA_KERNEL(isocenter::detail::RingSort),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::RingSmooth))
