#include "core/launch.cuh"
#include "render/maximum_intensity_projection.hpp"
ISOCENTER_CUDA_KERNELS(render_maximum_intensity_projection,
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::IntensityProjectionKernel))
