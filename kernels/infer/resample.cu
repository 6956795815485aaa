// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/resample.hpp"
ISOCENTER_CUDA_KERNELS(infer_resample, ISOCENTER_CUDA_KERNEL(isocenter::detail::ResampleKernel))
