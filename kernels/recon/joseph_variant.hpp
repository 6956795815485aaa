#pragma once
// What joseph_simd.inl is compiled to for one instruction set.
#include "recon/joseph_simd.hpp"

namespace isocenter::detail {

struct JosephVariant {
  const char* name;
  /// Places first .. last - 1 of the stack, lines line0 .. line1 - 1 of each.
  void (*forward)(const JosephForward& job, int fast, int first, int last, int line0, int line1, float* scratch);
  /// Adds what all rays along `axis` give to planes k0 .. k1 - 1, fast indices z0 .. z1 - 1.
  void (*adjoint)(const JosephAdjoint& job, int axis, int k0, int k1, int z0, int z1, float* scratch);
};

/// Sizes of a task.
constexpr int joseph_views_at_once = 8, joseph_lines_at_once = 32, joseph_planes_at_once = 8;
constexpr int joseph_adjoint_planes = 4, joseph_adjoint_z = 128;
constexpr int joseph_tile_stride = joseph_adjoint_z + 16;  // not a power of two: neighbours share no set of the cache
constexpr int joseph_pad = 64;                             // zeros around a line in the scratch

const JosephVariant* joseph_variant_avx512();  ///< null on other processors
const JosephVariant* joseph_variant_avx2();

bool joseph_forward_by(const Launcher& launcher, const JosephVariant& variant, const JosephForward& job, int fast,
                       void* scratch);
bool joseph_adjoint_by(const Launcher& launcher, const JosephVariant& variant, const JosephAdjoint& job, int fast,
                       void* scratch);

}  // namespace isocenter::detail
