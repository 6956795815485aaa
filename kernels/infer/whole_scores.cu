// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/whole_scores.hpp"
ISOCENTER_CUDA_KERNELS(infer_whole_scores, ISOCENTER_CUDA_KERNEL(isocenter::detail::AddWindowKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FinishScoresKernel))
