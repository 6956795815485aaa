#pragma once
// Back projection on the CPU for detectors whose columns run along an axis of the volume: what a voxel column shares is
// computed once for the whole column.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/fdk.hpp"

namespace isocenter::detail {

/// Whether every view's column u and weight w are the same along an axis of a volume of this extent, so that
/// fdk_back_project_aligned may be used.
bool fdk_is_aligned(const FdkMatrix* matrices, int views, int axis, int extent);

/// Asked between the tiles of the volume, in any thread; once it says yes, the rest of the tiles is left out.
struct FdkStop {
  bool (*asked)(void* user) = nullptr;
  void* user = nullptr;
};

/// Bytes of scratch, 64-byte aligned; 0 when this processor has no tuned variant.
std::uint64_t fdk_aligned_scratch(int concurrency);

/// The same sum as FdkBackProject: ‖difference‖ / ‖sum‖ < 1e-5 + 1e-7 · rows even for views of white noise, because
/// positions on the detector are rounded otherwise. Same bits for any number of threads.
/// False, with nothing done, when this processor has no tuned variant or a voxel is more than 32 detector rows high.
/// The stack must have 64 bytes of slack behind its last view.
bool fdk_back_project_aligned(const Launcher& launcher, const FdkBackProject& job, void* scratch,
                              const FdkStop& stop = {});

}  // namespace isocenter::detail
