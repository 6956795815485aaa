#include "core/launch.cuh"
#include "recon/voxel_driven_stack.hpp"
ISOCENTER_CUDA_KERNELS(recon_voxel_driven_stack, ISOCENTER_CUDA_KERNEL(isocenter::detail::VoxelDrivenArrange))
