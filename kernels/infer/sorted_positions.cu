// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/sorted_positions.hpp"
ISOCENTER_CUDA_KERNELS(infer_sorted_positions, ISOCENTER_CUDA_KERNEL(isocenter::detail::SortPositionsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SortedPositionsKernel))
