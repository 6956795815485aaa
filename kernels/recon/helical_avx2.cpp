#include "recon/helical_simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx2.inl"

// The registers come first.

#include "recon/helical_simd.inl"

}  // namespace

const HelicalVariant* helical_variant_avx2() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::HelicalVariant* isocenter::detail::helical_variant_avx2() { return nullptr; }
#endif
