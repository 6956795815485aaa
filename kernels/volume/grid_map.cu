// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "volume/grid_map.hpp"
ISOCENTER_CUDA_KERNELS(volume_grid_map, ISOCENTER_CUDA_KERNEL(isocenter::detail::SampleVolumeKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SampleLabelsKernel))
