#include "recon/joseph_variant.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx2.inl"

/// line[i] for whole i, 0 <= i < 16 in every lane, out of two registers.
ISOCENTER_SIMD inline Vec look_up_near(const float* line, Vec i) {
  return pick(load(line), load(line + width), _mm256_cvttps_epi32(i));
}
/// The same for any whole i.
ISOCENTER_SIMD inline Vec look_up_far(const float* line, Vec i) {
  return _mm256_i32gather_ps(line, _mm256_cvttps_epi32(i), 4);
}

#include "recon/joseph_simd.inl"
// The order matters: joseph_any.inl uses what joseph_simd.inl defines.
#include "recon/joseph_any.inl"

constexpr JosephVariant variant = {variant_name, &forward_task, &adjoint_task, &forward_any_task, &adjoint_any_task};

}  // namespace

const JosephVariant* joseph_variant_avx2() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::JosephVariant* isocenter::detail::joseph_variant_avx2() { return nullptr; }
#endif
