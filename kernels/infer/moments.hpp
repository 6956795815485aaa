#pragma once
// Mean and variance by channel of channels-last data, in two steps whose order depends on the shape alone, so
// that the bits do not depend on the number of threads. Blocks are merged as in T. F. Chan, G. H. Golub and R. J.
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT 1982, eq. 2.1.
#include <cmath>

#include "infer/functions.hpp"
#include "infer/storage.hpp"

namespace isocenter::detail {

/// Pixels that one block holds: small enough for the first-level cache with 16 channels.
inline constexpr int moments_block = 512;

/// x: channel, y: block, z: item of the batch. Writes the block's mean and its sum of squared deviations.
template <class T>
struct PartialMomentsKernelOf {
  static constexpr const char* name =
      by_storage<T>("infer/partial_moments", "infer/partial_moments_bfloat16", "infer/partial_moments_float16");
  const T* in;
  float *mean, *squares;  ///< [item][block][channel]
  std::int64_t pixels;    ///< of one item
  int channels, blocks;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t begin = static_cast<std::int64_t>(y) * moments_block;
    const std::int64_t left = pixels - begin;
    const int count = left < moments_block ? static_cast<int>(left) : moments_block;
    const T* p = in + (z * pixels + begin) * channels + x;
    Float sum{};
    for (int i = 0; i < count; ++i) sum += load(lanes, p + static_cast<std::int64_t>(i) * channels);
    const Float m = sum / static_cast<float>(count);
    Float sq{};
    for (int i = 0; i < count; ++i) {
      const Float d = load(lanes, p + static_cast<std::int64_t>(i) * channels) - m;
      sq += d * d;
    }
    const std::int64_t at = (static_cast<std::int64_t>(z) * blocks + y) * channels + x;
    store(mean + at, m);
    store(squares + at, sq);
  }
};
using PartialMomentsKernel = PartialMomentsKernelOf<float>;

/// x: channel, z: item. Merges the blocks of the channel's group of channels and writes the factors a, b of
/// a * v + b = scale * (v - mean) / sqrt(variance + epsilon) + shift; with scale null, b alone: the mean.
struct MergeMomentsKernel {
  static constexpr const char* name = "infer/merge_moments";
  const float *mean, *squares;
  const float *scale, *shift;  ///< by channel, or null
  float *a, *b;                ///< [item][channel]
  std::int64_t pixels;
  int channels, blocks, channels_per_group;
  float epsilon;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int, int z) const {
    using Float = typename Lanes::Float;
    const auto first = Lanes::iota(x) / channels_per_group * channels_per_group;
    const std::int64_t item = static_cast<std::int64_t>(z) * blocks * channels;
    const float total = static_cast<float>(pixels) * static_cast<float>(channels_per_group);
    Float centre{}, lost{};  // Kahan's summation: a volume has thousands of blocks
    for (int j = 0; j < channels_per_group; ++j)
      for (int k = 0; k < blocks; ++k)
        add(gather(mean + item + static_cast<std::int64_t>(k) * channels + j, first) * (size_of(k) / total), centre,
            lost);
    if (scale == nullptr) return store(b + static_cast<std::int64_t>(z) * channels + x, centre);
    Float sum{}, rest{};
    for (int j = 0; j < channels_per_group; ++j)
      for (int k = 0; k < blocks; ++k) {
        const std::int64_t at = item + static_cast<std::int64_t>(k) * channels + j;
        const Float d = gather(mean + at, first) - centre;
        add(gather(squares + at, first) + d * d * size_of(k), sum, rest);
      }
    const Float variance = sum / total + epsilon;
    const Float factor = load(lanes, scale + x) / each_lane(variance, [](float v) { return sqrtf(v); });
    store(a + static_cast<std::int64_t>(z) * channels + x, factor);
    store(b + static_cast<std::int64_t>(z) * channels + x, load(lanes, shift + x) - centre * factor);
  }

 private:
  ISOCENTER_HD float size_of(int block) const {
    const std::int64_t left = pixels - static_cast<std::int64_t>(block) * moments_block;
    return static_cast<float>(left < moments_block ? left : moments_block);
  }
  template <class Float>
  static ISOCENTER_HD void add(Float value, Float& sum, Float& lost) {
    const Float y = value - lost;
    const Float t = sum + y;
    lost = (t - sum) - y;
    sum = t;
  }
};

}  // namespace isocenter::detail
