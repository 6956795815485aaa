// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/copy.hpp"
ISOCENTER_CUDA_KERNELS(infer_copy, ISOCENTER_CUDA_KERNEL(isocenter::detail::CopyKernel))
