// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/direct_convolution.hpp"
ISOCENTER_CUDA_KERNELS(infer_direct_convolution, ISOCENTER_CUDA_KERNEL(isocenter::detail::DirectConvolutionKernel))
