#pragma once
// Turning a volume's axes to those that a network was trained on.
#include "core/orientation.hpp"

namespace isocenter::infer {
using isocenter::detail::are_axes;
using isocenter::detail::nearest_axes;
using isocenter::detail::orient;
using isocenter::detail::Orientation;
using isocenter::detail::oriented;
using isocenter::detail::voxel_steps;
}  // namespace isocenter::infer
