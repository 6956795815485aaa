// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/exact_reductions.hpp"
ISOCENTER_CUDA_KERNELS(infer_exact_reductions, ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactReduceKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactSoftmaxKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactCumulativeSumKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactNormaliseKernel))
