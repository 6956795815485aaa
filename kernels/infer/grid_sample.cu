// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/grid_sample.hpp"
ISOCENTER_CUDA_KERNELS(infer_grid_sample, ISOCENTER_CUDA_KERNEL(isocenter::detail::GridSampleKernel))
