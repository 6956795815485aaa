#pragma once
// Joseph's projectors on the CPU for scans whose lines of rays keep to one plane that holds the volume's fast axis (any
// orbit around an axis of the volume with detector columns along it): what the rays of a line share is computed once.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/joseph.hpp"

namespace isocenter::detail {

/// Bytes of scratch, 64-byte aligned; 0 when this processor has no tuned variant.
std::uint64_t joseph_simd_scratch(const JosephPlane* planes, int fast, const LineStack& stack, int concurrency);

/// The same as JosephForward, ‖difference‖ / ‖result‖ < 1e-5, because positions are rounded otherwise. Same bits for
/// any number of threads. False, with nothing done, when this processor has no tuned variant.
bool joseph_forward_simd(const Launcher& launcher, const JosephForward& job, int fast, void* scratch);

/// The same as JosephAdjoint for all axes, on a volume of zeros, and so for its bits.
bool joseph_adjoint_simd(const Launcher& launcher, const JosephAdjoint& job, int fast, void* scratch);

// ---- lines of any orientation (joseph_any.cpp) ----

/// The most rays that may pass within one voxel on one side of it.
constexpr float joseph_any_most_rays = 16.0F;

/// Bytes of scratch; `turns`: some line steps along the fast axis. 0 when this processor has no tuned variant.
std::uint64_t joseph_any_scratch(const JosephPlane* planes, int fast, const LineStack& stack, bool turns,
                                 int concurrency);

/// As joseph_forward_simd and joseph_adjoint_simd, for lines of any orientation whose rays are a sixteenth of a voxel
/// apart at least.
bool joseph_forward_any(const Launcher& launcher, const JosephForward& job, int fast, bool turns, void* scratch);
bool joseph_adjoint_any(const Launcher& launcher, const JosephAdjoint& job, int fast, bool turns, void* scratch);

}  // namespace isocenter::detail
