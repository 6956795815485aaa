#pragma once
// Mean and variance by channel of channels-last data, in steps whose order depends on the shape alone, so
// that the bits do not depend on the number of threads: moments of blocks of pixels, of runs of blocks where they are
// many, of all. Blocks are merged as in T. F. Chan, G. H. Golub and R. J.
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

/// Entries that one thread merges alone.
inline constexpr int moments_merged_alone = 64;

/// Blocks in a run, so that a run has about as many entries as there are runs; 0: too few entries for runs.
inline std::int64_t moments_run(std::int64_t blocks, std::int64_t channels_per_group) {
  if (blocks * channels_per_group <= moments_merged_alone) return 0;
  std::int64_t run = 1;
  while (run * run * channels_per_group < blocks) ++run;
  return run;
}

/// Means and sums of squared deviations as they lie: [item][entry][column]. An entry is that of `entry_pixels` pixels,
/// the last one of fewer, and of `entry_channels` channels.
struct MomentsEntries {
  const float *mean, *squares;
  std::int64_t pixels, entry_pixels;
  int columns, entry_channels;

  ISOCENTER_HD float size_of(int entry) const {
    const std::int64_t left = pixels - entry * entry_pixels;
    return static_cast<float>(left < entry_pixels ? left : entry_pixels) * static_cast<float>(entry_channels);
  }
  /// The mean of the entries [begin, end) in the columns first, first + 1, .. first + count - 1; `total` numbers.
  template <class Float, class Int>
  ISOCENTER_HD Float mean_of(std::int64_t item, Int first, int count, int begin, int end, float total) const {
    Float sum{}, lost{};  // Kahan's summation: a volume has thousands of blocks
    for (int j = 0; j < count; ++j)
      for (int k = begin; k < end; ++k)
        add(gather(mean + item + static_cast<std::int64_t>(k) * columns + j, first) * (size_of(k) / total), sum, lost);
    return sum;
  }
  /// Their sum of squared deviations from their mean.
  template <class Float, class Int>
  ISOCENTER_HD Float squares_of(std::int64_t item, Int first, int count, int begin, int end, Float centre) const {
    Float sum{}, lost{};
    for (int j = 0; j < count; ++j)
      for (int k = begin; k < end; ++k) {
        const std::int64_t at = item + static_cast<std::int64_t>(k) * columns + j;
        const Float d = gather(mean + at, first) - centre;
        add(gather(squares + at, first) + d * d * size_of(k), sum, lost);
      }
    return sum;
  }

 private:
  template <class Float>
  static ISOCENTER_HD void add(Float value, Float& sum, Float& lost) {
    const Float y = value - lost;
    const Float t = sum + y;
    lost = (t - sum) - y;
    sum = t;
  }
};

/// x: group of channels, y: run of `run` blocks, z: item. Merges the run's blocks in all channels of the group.
struct CombineMomentsKernel {
  static constexpr const char* name = "infer/combine_moments";
  const float *mean, *squares;              ///< [item][block][channel]
  float *combined_mean, *combined_squares;  ///< [item][run][group]
  std::int64_t pixels;
  int channels, blocks, channels_per_group, run;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const MomentsEntries entries{mean, squares, pixels, moments_block, channels, 1};
    const auto first = Lanes::iota(x) * channels_per_group;
    const std::int64_t item = static_cast<std::int64_t>(z) * blocks * channels;
    const int begin = y * run, end = blocks - begin < run ? blocks : begin + run;
    const float total =
        (static_cast<float>(end - begin - 1) * moments_block + entries.size_of(end - 1)) * to_float(channels_per_group);
    const Float centre = entries.mean_of<Float>(item, first, channels_per_group, begin, end, total);
    const int runs = (blocks + run - 1) / run, groups = channels / channels_per_group;
    const std::int64_t at = (static_cast<std::int64_t>(z) * runs + y) * groups + x;
    store(combined_mean + at, centre);
    store(combined_squares + at, entries.squares_of(item, first, channels_per_group, begin, end, centre));
  }
};

/// x: channel, z: item. Merges the entries of the channel's group of channels and writes the factors a, b of
/// a * v + b = scale * (v - mean) / sqrt(variance + epsilon) + shift; with scale null, b alone: the mean.
struct MergeMomentsKernel {
  static constexpr const char* name = "infer/merge_moments";
  const float *mean, *squares;  ///< [item][block][channel], or of runs: [item][run][group]
  const float *scale, *shift;   ///< by channel, or null
  float *a, *b;                 ///< [item][channel]
  std::int64_t pixels;
  int channels, blocks, channels_per_group;  ///< blocks, or runs
  float epsilon;
  std::int64_t entry_pixels = moments_block;  ///< of a block, or of a run
  int entry_channels = 1;                     ///< or channels_per_group, of runs

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int, int z) const {
    using Float = typename Lanes::Float;
    const MomentsEntries entries{mean, squares, pixels, entry_pixels, channels / entry_channels, entry_channels};
    const int count = channels_per_group / entry_channels;
    const auto first = Lanes::iota(x) / channels_per_group * count;
    const std::int64_t item = static_cast<std::int64_t>(z) * blocks * entries.columns;
    const float total = static_cast<float>(pixels) * static_cast<float>(channels_per_group);
    const Float centre = entries.mean_of<Float>(item, first, count, 0, blocks, total);
    if (scale == nullptr) return store(b + static_cast<std::int64_t>(z) * channels + x, centre);
    const Float variance = entries.squares_of(item, first, count, 0, blocks, centre) / total + epsilon;
    const Float factor = load(lanes, scale + x) / each_lane(variance, [](float v) { return sqrtf(v); });
    store(a + static_cast<std::int64_t>(z) * channels + x, factor);
    store(b + static_cast<std::int64_t>(z) * channels + x, load(lanes, shift + x) - centre * factor);
  }
};

}  // namespace isocenter::detail
