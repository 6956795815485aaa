#include "recon/fdk_tile_variant.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace isocenter::detail {
namespace {

#include "recon/registers_avx512.inl"

constexpr int reach = 32;  // rows that interpolate_near may read

#include "recon/fdk_simd.inl"

}  // namespace

const FdkTileVariant* fdk_variant_avx512() {
  static const bool here = processor_has_them();
  return here ? &variant : nullptr;
}

}  // namespace isocenter::detail
#else
const isocenter::detail::FdkTileVariant* isocenter::detail::fdk_variant_avx512() { return nullptr; }
#endif
