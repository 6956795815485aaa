// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/reduce.hpp"
ISOCENTER_CUDA_KERNELS(infer_reduce, ISOCENTER_CUDA_KERNEL(isocenter::detail::ReduceKernel))
