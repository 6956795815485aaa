// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/along_axis.hpp"
ISOCENTER_CUDA_KERNELS(infer_along_axis, ISOCENTER_CUDA_KERNEL(isocenter::detail::TopPositionsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::TakePositionsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CumulativeSumKernel))
