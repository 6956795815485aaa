#pragma once
// Rendering one frame. On the CPU the tuned way is the functors' own arithmetic over packets of eight rays, with AVX2
// loads that fetch neighbouring voxels in pairs; the picture is the reference's, bit for bit.
#include "core/launch.hpp"
#include "render/maximum_intensity_projection.hpp"
#include "render/volume_render.hpp"

namespace isocenter::detail {

void launch_frame(const Launcher& launcher, const VolumeRenderKernel& kernel);
void launch_frame(const Launcher& launcher, const IntensityProjectionKernel& kernel);

}  // namespace isocenter::detail
