// Compiled only so far: never run on a GPU.
#include "infer/map.hpp"

#include "core/launch.cuh"
ISOCENTER_CUDA_KERNELS(infer_map, ISOCENTER_CUDA_KERNEL(isocenter::detail::MapKernel))
