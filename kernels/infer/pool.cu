// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/pool.hpp"
ISOCENTER_CUDA_KERNELS(infer_pool, ISOCENTER_CUDA_KERNEL(isocenter::detail::PoolKernel))
