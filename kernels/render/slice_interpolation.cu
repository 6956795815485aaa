// Never run so far: compiled only.
#include "core/launch.cuh"
#include "render/slice_interpolation.hpp"
ISOCENTER_CUDA_KERNELS(render_slice_interpolation, ISOCENTER_CUDA_KERNEL(isocenter::detail::SliceMatchKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::FieldSmoothKernel),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::SliceBlendKernel))
