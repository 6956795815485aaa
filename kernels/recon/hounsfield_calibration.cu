#include "core/launch.cuh"
#include "recon/hounsfield_calibration.hpp"
ISOCENTER_CUDA_KERNELS(recon_hounsfield_calibration, ISOCENTER_CUDA_KERNEL(isocenter::detail::RegionRowSums),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::CalibrationLine),
                       ISOCENTER_CUDA_KERNEL(isocenter::detail::ApplyCalibration))
