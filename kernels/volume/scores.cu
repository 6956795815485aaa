// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "volume/scores.hpp"
ISOCENTER_CUDA_KERNELS(volume_scores, ISOCENTER_CUDA_KERNEL(isocenter::detail::EnsembleKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScoreLabelsKernel))
