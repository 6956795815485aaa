#include "core/launch.cuh"
#include "recon/line_integrals.hpp"
ISOCENTER_CUDA_KERNELS(recon_line_integrals, ISOCENTER_CUDA_KERNEL(isocenter::detail::FrameStatistics),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::DetectorResponse),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::DefectNeighbours),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CountRows),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::BorderIntensity),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::LineIntegralsKernel))
