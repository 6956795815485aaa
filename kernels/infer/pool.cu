// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/pool.hpp"
using isocenter::detail::bfloat16;
using isocenter::detail::float16;
using isocenter::detail::PoolKernelOf;
ISOCENTER_CUDA_KERNELS(infer_pool, ISOCENTER_CUDA_KERNEL(PoolKernelOf<float>),
                       ISOCENTER_CUDA_KERNEL(PoolKernelOf<bfloat16>), ISOCENTER_CUDA_KERNEL(PoolKernelOf<float16>))
