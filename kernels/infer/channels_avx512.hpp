#pragma once
// Channel-by-channel work on channels-last data with sixteen channels in a register, and bfloat16 rounded by the
// processor. The same operations in the same order as the kernels that they stand for, so the same bits, but that
// bfloat16 below 2^-126 becomes 0, as it does in the processor's products.
#include "core/launch.hpp"
#include "infer/channel_affine.hpp"
#include "infer/moments.hpp"
#include "infer/pool.hpp"

namespace isocenter::detail {

/// AVX-512, with AVX512_BF16 for bfloat16.
bool wide_channels_run_here(bool narrow);

// Rows [begin, end) of ny * nz; x runs over `nx` channels, a multiple of 16.
template <class In, class Out>
void run_rows_avx512(const ChannelAffineKernelOf<In, Out>& k, int nx, int ny, std::int64_t begin, std::int64_t end);
template <class T>
void run_rows_avx512(const PartialMomentsKernelOf<T>& k, int nx, int ny, std::int64_t begin, std::int64_t end);
template <class T>
void run_rows_avx512(const PoolKernelOf<T>& k, int nx, int ny, std::int64_t begin, std::int64_t end);

/// What the wide variant of a kernel does not know goes through the usual one.
template <class K>
bool is_wide(const K&) {
  return true;
}
template <class In, class Out>
bool is_wide(const ChannelAffineKernelOf<In, Out>& k) {
  using F = infer::Function;
  return k.then == F::identity || k.then == F::relu || k.then == F::leaky_relu || k.then == F::clip;
}

/// float16 has no wide variant: networks run in it on CUDA alone.
template <class K>
inline constexpr bool has_wide = true;
template <>
inline constexpr bool has_wide<PoolKernelOf<float16>> = false;
template <>
inline constexpr bool has_wide<PartialMomentsKernelOf<float16>> = false;
template <class In, class Out>
inline constexpr bool has_wide<ChannelAffineKernelOf<In, Out>> =
    !std::is_same_v<In, float16> && !std::is_same_v<Out, float16>;

/// As launch, with the wide variant where it runs.
template <class K>
void launch_wide(const Launcher& launcher, const K& kernel, bool narrow, int nx, int ny, int nz) {
  if constexpr (has_wide<K>)
    if (launcher.on_cpu() && !launcher.reference_only && nx % 16 == 0 && is_wide(kernel) &&
        wide_channels_run_here(narrow))
      return parallel_for(launcher, static_cast<std::int64_t>(ny) * nz, 1,
                          [&](std::int64_t begin, std::int64_t end) { run_rows_avx512(kernel, nx, ny, begin, end); });
  launch(launcher, kernel, nx, ny, nz);
}

}  // namespace isocenter::detail
