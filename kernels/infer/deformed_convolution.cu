// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/deformed_convolution.hpp"
ISOCENTER_CUDA_KERNELS(infer_deformed_convolution, ISOCENTER_CUDA_KERNEL(isocenter::detail::DeformedConvolutionKernel))
