#pragma once

namespace isocenter::inline v1 {

/// How values between voxels are read.
enum class Interpolation { linear, nearest };
inline constexpr const char* interpolations[] = {"linear", "nearest"};

}  // namespace isocenter::inline v1
