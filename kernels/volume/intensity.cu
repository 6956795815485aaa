// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "volume/intensity.hpp"
ISOCENTER_CUDA_KERNELS(volume_intensity, ISOCENTER_CUDA_KERNEL(isocenter::detail::RowMomentsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::MergeGroupsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ZScoreKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CountBitsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::AddCopiesKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::PickBitsKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::PercentileScaleKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ScaleValuesKernel))
