#pragma once
// What the render operators ask of volumes and segmentations.
#include "core/volume_input.hpp"
#include "render/picture.hpp"

namespace isocenter::detail {

/// Shape, with checked directions and at most 2^31 voxels a frame.
GridShape render_shape(const Payload& payload, const char* port, const char* tensor_name, DType type);

/// Throws when a segmentation is not on the volume's grid, or has another number of time frames than 1 or its own.
void check_same_grid(const GridShape& volume, const GridShape& labels);

/// Describes an output of RGB frames; attributes come from the input.
void describe_frames(PayloadRef output, const Payload& input, std::int64_t frames, std::int64_t height,
                     std::int64_t width, double frames_per_second);

GreyWindow grey_window(double centre, double width);

}  // namespace isocenter::detail
