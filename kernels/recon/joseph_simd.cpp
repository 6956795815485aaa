#include "recon/joseph_simd.hpp"

#include <algorithm>

#include "recon/joseph_variant.hpp"

namespace isocenter::detail {

namespace {

/// Floats of one thread's scratch.
std::int64_t part_floats(const JosephPlane* planes, int fast, const LineStack& stack) {
  const int padded = (planes[fast].na + 15) / 16 * 16;
  const std::int64_t forward = std::int64_t{joseph_planes_at_once} * (padded + 2 * joseph_pad);
  int widest = 0;
  for (int a = 0; a < 3; ++a)
    if (a != fast) widest = std::max(widest, planes[a].nb);
  const std::int64_t adjoint =
      std::int64_t{joseph_adjoint_planes} * (widest + 2) * joseph_tile_stride + (stack.stride + 2 * joseph_pad);
  return (std::max(forward, adjoint) + 15) / 16 * 16;
}

}  // namespace

const JosephVariant* joseph_variant_of_this_processor() {
  const JosephVariant* best = joseph_variant_avx512();
  return best != nullptr ? best : joseph_variant_avx2();
}

std::uint64_t joseph_simd_scratch(const JosephPlane* planes, int fast, const LineStack& stack, int concurrency) {
  if (joseph_variant_of_this_processor() == nullptr) return 0;
  return static_cast<std::uint64_t>(part_floats(planes, fast, stack)) * sizeof(float) *
         static_cast<std::uint64_t>(concurrency);
}

bool joseph_forward_by(const Launcher& launcher, const JosephVariant& variant, const JosephForward& job, int fast,
                       void* scratch) {
  const JosephScan& s = job.scan;
  const std::int64_t across = (s.stack.lines + joseph_lines_at_once - 1) / joseph_lines_at_once;
  const std::int64_t blocks = (s.views + joseph_views_at_once - 1) / joseph_views_at_once;
  for_each_joseph_task(launcher, across * blocks, static_cast<float*>(scratch), part_floats(s.plane, fast, s.stack),
                       [&](std::int64_t task, float* part) {
                         const int first = static_cast<int>(task / across) * joseph_views_at_once;
                         const int line = static_cast<int>(task % across) * joseph_lines_at_once;
                         variant.forward(job, fast, first, std::min(first + joseph_views_at_once, s.views), line,
                                         std::min(line + joseph_lines_at_once, s.stack.lines), part);
                       });
  return true;
}

bool joseph_adjoint_by(const Launcher& launcher, const JosephVariant& variant, const JosephAdjoint& job, int fast,
                       void* scratch) {
  const JosephScan& s = job.scan;
  const int nz = s.plane[fast].na;
  const std::int64_t slices = (nz + joseph_adjoint_z - 1) / joseph_adjoint_z;
  for (int axis = 0; axis < 3; ++axis) {
    if (axis == fast) continue;
    const int na = s.plane[axis].na;
    const std::int64_t blocks = (na + joseph_adjoint_planes - 1) / joseph_adjoint_planes;
    for_each_joseph_task(launcher, blocks * slices, static_cast<float*>(scratch), part_floats(s.plane, fast, s.stack),
                         [&](std::int64_t task, float* part) {
                           const int k = static_cast<int>(task / slices) * joseph_adjoint_planes;
                           const int z = static_cast<int>(task % slices) * joseph_adjoint_z;
                           variant.adjoint(job, axis, k, std::min(k + joseph_adjoint_planes, na), z,
                                           std::min(z + joseph_adjoint_z, nz), part);
                         });
  }
  return true;
}

bool joseph_forward_simd(const Launcher& launcher, const JosephForward& job, int fast, void* scratch) {
  const JosephVariant* variant = joseph_variant_of_this_processor();
  return variant != nullptr && joseph_forward_by(launcher, *variant, job, fast, scratch);
}

bool joseph_adjoint_simd(const Launcher& launcher, const JosephAdjoint& job, int fast, void* scratch) {
  const JosephVariant* variant = joseph_variant_of_this_processor();
  return variant != nullptr && joseph_adjoint_by(launcher, *variant, job, fast, scratch);
}

}  // namespace isocenter::detail
