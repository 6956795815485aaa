#include "render/tuned_frames.hpp"

namespace isocenter::detail {

void launch_frame(const Launcher& launcher, const VolumeRenderKernel& kernel) {
  launch(launcher, kernel, kernel.width, kernel.height, 1);
}
void launch_frame(const Launcher& launcher, const IntensityProjectionKernel& kernel) {
  launch(launcher, kernel, kernel.width, kernel.height, 1);
}

}  // namespace isocenter::detail
