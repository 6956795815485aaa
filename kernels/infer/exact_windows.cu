// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/exact_windows.hpp"
ISOCENTER_CUDA_KERNELS(infer_exact_windows, ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactConvolutionKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactPoolKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MaxPositionsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ColumnsToImageKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactProductKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ExactResampleKernel))
