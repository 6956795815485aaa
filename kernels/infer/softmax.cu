// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/softmax.hpp"
ISOCENTER_CUDA_KERNELS(infer_softmax, ISOCENTER_CUDA_KERNEL(isocenter::detail::SoftmaxKernel))
