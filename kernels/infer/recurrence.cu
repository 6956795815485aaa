// Never run on a GPU so far: compiled only.
#include "core/launch.cuh"
#include "infer/recurrence.hpp"
ISOCENTER_CUDA_KERNELS(infer_recurrence, ISOCENTER_CUDA_KERNEL(isocenter::detail::RecurrenceKernel))
