// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/suppression.hpp"
ISOCENTER_CUDA_KERNELS(infer_suppression, ISOCENTER_CUDA_KERNEL(isocenter::detail::SuppressionKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SuppressionBlockKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SuppressionKeepKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SelectedRowsKernel))
