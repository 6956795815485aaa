// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/map.hpp"
ISOCENTER_CUDA_KERNELS(infer_map, ISOCENTER_CUDA_KERNEL(isocenter::detail::MapKernel))
