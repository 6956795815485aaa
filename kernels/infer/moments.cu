// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/moments.hpp"
using isocenter::detail::bfloat16;
using isocenter::detail::float16;
using isocenter::detail::PartialMomentsKernelOf;
ISOCENTER_CUDA_KERNELS(infer_moments, ISOCENTER_CUDA_KERNEL(PartialMomentsKernelOf<float>),
                       ISOCENTER_CUDA_KERNEL(PartialMomentsKernelOf<bfloat16>),
                       ISOCENTER_CUDA_KERNEL(PartialMomentsKernelOf<float16>),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CombineMomentsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MergeMomentsKernel))
