// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/region_align.hpp"
ISOCENTER_CUDA_KERNELS(infer_region_align, ISOCENTER_CUDA_KERNEL(isocenter::detail::RegionAlignKernel))
