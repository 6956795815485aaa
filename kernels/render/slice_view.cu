#include "core/launch.cuh"
#include "render/slice_view.hpp"
ISOCENTER_CUDA_KERNELS(render_slice_view, ISOCENTER_CUDA_KERNEL(isocenter::detail::SliceViewKernel))
