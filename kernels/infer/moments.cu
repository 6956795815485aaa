// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/moments.hpp"
ISOCENTER_CUDA_KERNELS(infer_moments, ISOCENTER_CUDA_KERNEL(isocenter::detail::PartialMomentsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MergeMomentsKernel))
