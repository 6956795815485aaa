// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/sliding_window.hpp"
ISOCENTER_CUDA_KERNELS(infer_sliding_window, ISOCENTER_CUDA_KERNEL(isocenter::detail::ExtractWindowKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::BlendWindowKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ClearRingKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ReadLabelsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ReadScoresKernel))
