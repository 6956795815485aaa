// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/reduce.hpp"
using isocenter::detail::bfloat16;
using isocenter::detail::float16;
using isocenter::detail::ReduceKernelOf;
ISOCENTER_CUDA_KERNELS(infer_reduce, ISOCENTER_CUDA_KERNEL(ReduceKernelOf<float>),
                       ISOCENTER_CUDA_KERNEL(ReduceKernelOf<bfloat16>), ISOCENTER_CUDA_KERNEL(ReduceKernelOf<float16>))
