#include <algorithm>

#include "recon/joseph_variant.hpp"

namespace isocenter::detail {

namespace {

/// The planes of the fast axis as they lie in the turned copy.
JosephPlane turned_plane(const JosephPlane& plane) {
  JosephPlane turned = plane;
  turned.stride_c = 1;
  turned.stride_b = (plane.nc + 15) / 16 * 16;
  turned.stride_a = static_cast<std::int64_t>(turned.stride_b) * plane.nb;
  return turned;
}

std::int64_t turned_floats(const JosephPlane& plane) {
  const JosephPlane turned = turned_plane(plane);
  return (turned.stride_a * turned.na + 15) / 16 * 16;
}

/// Floats of one thread's scratch: arrays_of_a_line arrays.
std::int64_t part_floats(const LineStack& stack) {
  return 8 * (static_cast<std::int64_t>(stack.stride) + 2 * joseph_pad);
}

JosephTurned turned_in(const JosephScan& scan, int fast, bool turns, void* scratch) {
  return {fast, turned_plane(scan.plane[fast]), turns ? static_cast<float*>(scratch) : nullptr};
}

/// Calls work(a, b, tile of c) over the turned copy, 16 x 16 positions of a and c at a time.
template <class Work>
void for_each_tile(const Launcher& launcher, const JosephPlane& turned, Work&& work) {
  const std::int64_t across = (turned.na + 15) / 16;
  parallel_for(launcher, across * turned.nb, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const int a0 = static_cast<int>(t % across) * 16, b = static_cast<int>(t / across);
      for (int c0 = 0; c0 < turned.stride_b; c0 += 16)
        for (int a = a0; a < std::min(a0 + 16, turned.na); ++a) work(a, b, c0, std::min(c0 + 16, turned.nc));
    }
  });
}

void turn(const Launcher& launcher, const JosephPlane& plane, const float* volume, const JosephTurned& turned) {
  for_each_tile(launcher, turned.plane, [&](int a, int b, int c0, int c1) {
    float* to = turned.volume + a * turned.plane.stride_a + static_cast<std::int64_t>(b) * turned.plane.stride_b;
    const float* from = volume + a * plane.stride_a + static_cast<std::int64_t>(b) * plane.stride_b;
    for (int c = c0; c < c1; ++c) to[c] = from[static_cast<std::int64_t>(c) * plane.stride_c];
    for (int c = c1; c < c0 + 16; ++c) to[c] = 0.0F;
  });
}

void add_turned_back(const Launcher& launcher, const JosephPlane& plane, const JosephTurned& turned, float* volume) {
  for_each_tile(launcher, turned.plane, [&](int a, int b, int c0, int c1) {
    const float* from =
        turned.volume + a * turned.plane.stride_a + static_cast<std::int64_t>(b) * turned.plane.stride_b;
    float* to = volume + a * plane.stride_a + static_cast<std::int64_t>(b) * plane.stride_b;
    for (int c = c0; c < c1; ++c) to[static_cast<std::int64_t>(c) * plane.stride_c] += from[c];
  });
}

}  // namespace

std::uint64_t joseph_any_scratch(const JosephPlane* planes, int fast, const LineStack& stack, bool turns,
                                 int concurrency) {
  if (joseph_variant_of_this_processor() == nullptr) return 0;
  const std::int64_t floats = (turns ? turned_floats(planes[fast]) : 0) + part_floats(stack) * concurrency;
  return static_cast<std::uint64_t>(floats) * sizeof(float);
}

void joseph_forward_any_by(const Launcher& launcher, const JosephVariant& variant, const JosephForward& job, int fast,
                           bool turns, void* scratch) {
  const JosephScan& s = job.scan;
  const JosephTurned turned = turned_in(s, fast, turns, scratch);
  if (turns) turn(launcher, s.plane[fast], job.volume, turned);
  // Of a 2-D scan a view is one line.
  const int views = s.stack.lines == 1 ? 1 : joseph_views_at_once;
  const std::int64_t across = (s.stack.lines + joseph_lines_at_once - 1) / joseph_lines_at_once;
  parallel_for(launcher, across * ((s.views + views - 1) / views), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const int first = static_cast<int>(task / across) * views;
      const int line = static_cast<int>(task % across) * joseph_lines_at_once;
      variant.forward_any(job, turned, first, std::min(first + views, s.views), line,
                          std::min(line + joseph_lines_at_once, s.stack.lines));
    }
  });
}

void joseph_adjoint_any_by(const Launcher& launcher, const JosephVariant& variant, const JosephAdjoint& job, int fast,
                           bool turns, void* scratch) {
  const JosephScan& s = job.scan;
  const JosephTurned turned = turned_in(s, fast, turns, scratch);
  const std::int64_t room = turns ? turned_floats(s.plane[fast]) : 0;
  float* parts = static_cast<float*>(scratch) + room;
  if (turns)
    for_each_tile(launcher, turned.plane, [&](int a, int b, int c0, int) {
      float* to = turned.volume + a * turned.plane.stride_a + static_cast<std::int64_t>(b) * turned.plane.stride_b;
      std::fill(to + c0, to + c0 + 16, 0.0F);
    });
  for (int axis = 0; axis < 3; ++axis) {
    if (axis == fast && !turns) continue;
    const JosephPlane& p = s.plane[axis];
    // Of a single row a line meets all of it: what is made ready for a line serves as long a slice as there is.
    const int wide = p.nb == 1 ? joseph_any_adjoint_row : joseph_adjoint_z;
    const std::int64_t slices = (p.nc + wide - 1) / wide;
    // As many planes as the second-level cache holds.
    const int planes = std::clamp((1 << 17) / (p.nb * std::min(p.nc, wide)), 1, joseph_any_adjoint_planes);
    const std::int64_t blocks = (p.na + planes - 1) / planes;
    for_each_joseph_task(launcher, blocks * slices, parts, part_floats(s.stack), [&](std::int64_t task, float* part) {
      const int k = static_cast<int>(task / slices) * planes;
      const int z = static_cast<int>(task % slices) * wide;
      variant.adjoint_any(job, turned, axis, k, std::min(k + planes, p.na), z, std::min(z + wide, p.nc), part);
    });
  }
  if (turns) add_turned_back(launcher, s.plane[fast], turned, job.volume);
}

bool joseph_forward_any(const Launcher& launcher, const JosephForward& job, int fast, bool turns, void* scratch) {
  const JosephVariant* variant = joseph_variant_of_this_processor();
  if (variant != nullptr) joseph_forward_any_by(launcher, *variant, job, fast, turns, scratch);
  return variant != nullptr;
}

bool joseph_adjoint_any(const Launcher& launcher, const JosephAdjoint& job, int fast, bool turns, void* scratch) {
  const JosephVariant* variant = joseph_variant_of_this_processor();
  if (variant != nullptr) joseph_adjoint_any_by(launcher, *variant, job, fast, turns, scratch);
  return variant != nullptr;
}

}  // namespace isocenter::detail
