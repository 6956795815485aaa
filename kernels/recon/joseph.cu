#include "core/launch.cuh"
#include "recon/joseph.hpp"
#include "recon/joseph_slab.hpp"
#include "recon/projector_copy.hpp"
ISOCENTER_CUDA_KERNELS(recon_joseph, ISOCENTER_CUDA_KERNEL(isocenter::detail::JosephForward),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::JosephAdjoint),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::JosephSlab),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ProjectorCopy))
