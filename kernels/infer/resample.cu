// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/resample.hpp"
using isocenter::detail::bfloat16;
using isocenter::detail::float16;
using isocenter::detail::ResampleKernelOf;
ISOCENTER_CUDA_KERNELS(infer_resample, ISOCENTER_CUDA_KERNEL(ResampleKernelOf<float>),
                       ISOCENTER_CUDA_KERNEL(ResampleKernelOf<bfloat16>),
                       ISOCENTER_CUDA_KERNEL(ResampleKernelOf<float16>))
