// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/exact_map.hpp"
ISOCENTER_CUDA_KERNELS(infer_exact_map, ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactMapKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::PickKernel))
