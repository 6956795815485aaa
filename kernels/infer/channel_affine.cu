// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/channel_affine.hpp"
ISOCENTER_CUDA_KERNELS(infer_channel_affine, ISOCENTER_CUDA_KERNEL(isocenter::detail::ChannelAffineKernel))
