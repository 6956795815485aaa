// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "volume/mirror.hpp"
ISOCENTER_CUDA_KERNELS(volume_mirror, ISOCENTER_CUDA_KERNEL(isocenter::detail::MirrorKernel))
