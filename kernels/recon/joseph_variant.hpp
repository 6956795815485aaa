#pragma once
// What joseph_simd.inl is compiled to for one instruction set.
#include <atomic>

#include "recon/joseph_simd.hpp"

namespace isocenter::detail {

/// How the planes of the fast axis lie in a copy of the volume, in which their axis c is contiguous.
struct JosephTurned {
  int fast;
  JosephPlane plane;
  float* volume;  ///< null when no line steps along the fast axis
};

struct JosephVariant {
  const char* name;
  /// Places first .. last - 1 of the stack, lines line0 .. line1 - 1 of each.
  void (*forward)(const JosephForward& job, int fast, int first, int last, int line0, int line1, float* scratch);
  /// Adds what all rays along `axis` give to planes k0 .. k1 - 1, fast indices z0 .. z1 - 1.
  void (*adjoint)(const JosephAdjoint& job, int axis, int k0, int k1, int z0, int z1, float* scratch);
  /// The same for lines of any orientation. `turned` is the volume with the axis c of `fast`'s planes contiguous.
  void (*forward_any)(const JosephForward& job, const JosephTurned& turned, int first, int last, int line0, int line1);
  void (*adjoint_any)(const JosephAdjoint& job, const JosephTurned& turned, int axis, int k0, int k1, int z0, int z1,
                      float* scratch);
};

/// Sizes of a task.
constexpr int joseph_views_at_once = 8, joseph_lines_at_once = 32, joseph_planes_at_once = 8;
constexpr int joseph_adjoint_planes = 4, joseph_adjoint_z = 128;
constexpr int joseph_tile_stride = joseph_adjoint_z + 16;  // not a power of two: neighbours share no set of the cache
constexpr int joseph_any_planes = 16, joseph_any_adjoint_planes = 8, joseph_any_adjoint_row = 1024;
constexpr int joseph_pad = 64;  // zeros around a line in the scratch

const JosephVariant* joseph_variant_avx512();  ///< null on other processors
const JosephVariant* joseph_variant_avx2();
const JosephVariant* joseph_variant_of_this_processor();  ///< the best; null when there is none

/// Calls work(task, scratch) for every task; a thread has its part of the scratch.
template <class Work>
void for_each_joseph_task(const Launcher& launcher, std::int64_t tasks, float* scratch, std::int64_t part,
                          Work&& work) {
  std::atomic<std::int64_t> next{0};
  parallel_for(launcher, launcher.concurrency, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot)
      for (std::int64_t t = next++; t < tasks; t = next++) work(t, scratch + part * slot);
  });
}

bool joseph_forward_by(const Launcher& launcher, const JosephVariant& variant, const JosephForward& job, int fast,
                       void* scratch);
bool joseph_adjoint_by(const Launcher& launcher, const JosephVariant& variant, const JosephAdjoint& job, int fast,
                       void* scratch);
void joseph_forward_any_by(const Launcher& launcher, const JosephVariant& variant, const JosephForward& job, int fast,
                           bool turns, void* scratch);
void joseph_adjoint_any_by(const Launcher& launcher, const JosephVariant& variant, const JosephAdjoint& job, int fast,
                           bool turns, void* scratch);

}  // namespace isocenter::detail
