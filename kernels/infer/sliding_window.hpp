#pragma once
// A network over a volume in overlapping windows: cut one out (with intensity normalisation), blend its result in, read
// the blended scores as labels or values. Blending keeps only a ring of slices, so that memory does not grow with
// depth.
#include "core/voxel_steps.hpp"
#include "infer/functions.hpp"

namespace isocenter::detail {

/// x, y, z: in the window. The volume's nearest voxel stands beyond its border. out = clamp(v, low, high) * a + b.
struct ExtractWindowKernel {
  static constexpr const char* name = "infer/extract_window";
  const float* in;
  float* out;
  int extent[3];  ///< of the volume: x, y, z
  int window[3];
  int start[3];
  float low, high;
  const float *a, *b;  ///< one number each, on the device

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto from = clamp(Lanes::iota(x) + start[0], 0, extent[0] - 1);
    const std::int64_t row = static_cast<std::int64_t>(clamp(z + start[2], 0, extent[2] - 1)) * extent[1] +
                             clamp(y + start[1], 0, extent[1] - 1);
    const Float v = clamp(gather(in + row * extent[0], from), low, high);
    store(out + (static_cast<std::int64_t>(z) * window[1] + y) * window[0] + x, v * *a + *b);
  }
};

/// x, y: in the window, z: (channel, slice), slice fastest. Adds weight * score to the ring [channel][slice][y][x].
struct BlendWindowKernel {
  static constexpr const char* name = "infer/blend_window";
  const float* scores;  ///< [channel][window z][window y][window x]
  float* ring;
  int window[3];
  int start[3];
  int extent[3];  ///< of the ring: x, y, slices; slice s of the volume lies at s % extent[2]
  const float *weight_x, *weight_y, *weight_z;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const int channel = z / window[2], slice = z % window[2];
    const float weight = weight_z[slice] * weight_y[y];
    const auto score = load(lanes, scores + (static_cast<std::int64_t>(z) * window[1] + y) * window[0] + x);
    float* to =
        ring +
        ((static_cast<std::int64_t>(channel) * extent[2] + (start[2] + slice) % extent[2]) * extent[1] + start[1] + y) *
            extent[0] +
        start[0] + x;
    store(to, load(lanes, to) + score * (load(lanes, weight_x + x) * weight));
  }
};

/// x: in the row, y: row, z: (channel, slice). Empties slices first, first + 1, ... of the ring.
struct ClearRingKernel {
  static constexpr const char* name = "infer/clear_ring";
  float* ring;
  int extent[3];
  int first, count;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    const std::int64_t slice = static_cast<std::int64_t>(z / count) * extent[2] + (first + z % count) % extent[2];
    store(ring + (slice * extent[1] + y) * extent[0] + x, typename Lanes::Float{});
  }
};

/// Where the output's positions lie on the ring's axis: two neighbours with weights, which also hold the reciprocal of
/// the blending weights' sum.
struct RingTaps {
  const std::int32_t* index;  ///< [position][2]
  const float* weight;
};

/// What both readers of the ring share: the score of a channel at an output position.
struct RingReader {
  const float* ring;
  int extent[3];  ///< of the ring
  RingTaps x, y, z;

  template <class Lanes>
  ISOCENTER_HD typename Lanes::Float score(Lanes, int channel, int px, int py, int pz) const {
    using Float = typename Lanes::Float;
    const auto lane = Lanes::iota(px) * 2;
    Float sum{};
    for (int k = 0; k < 2; ++k) {
      const float wz = z.weight[2 * pz + k];
      const std::int64_t slice = static_cast<std::int64_t>(channel) * extent[2] + z.index[2 * pz + k] % extent[2];
      for (int j = 0; j < 2; ++j) {
        const float w = wz * y.weight[2 * py + j];
        if (w == 0.0F) continue;
        const float* row = ring + (slice * extent[1] + y.index[2 * py + j]) * extent[0];
        for (int i = 0; i < 2; ++i) sum += gather(row, table(lane + i)) * (gather(x.weight, lane + i) * w);
      }
    }
    return sum;
  }

 private:
  ISOCENTER_HD int table(int i) const { return x.index[i]; }
#if !defined(__CUDACC__)
  ISOCENTER_HD int8 table(int8 i) const {
    for (int k = 0; k < 8; ++k) i[k] = x.index[i[k]];
    return i;
  }
#endif
};

ISOCENTER_HD void store_at(float* to, std::int64_t, float v) { *to = v; }
ISOCENTER_HD void store_at(std::uint8_t* to, std::int64_t, int label) { *to = static_cast<std::uint8_t>(label); }
#if !defined(__CUDACC__)
ISOCENTER_HD void store_at(float* to, std::int64_t step, float8 v) {
  if (step == 1) return store(to, v);
  for (int k = 0; k < 8; ++k) to[k * step] = v[k];
}
ISOCENTER_HD void store_at(std::uint8_t* to, std::int64_t step, int8 label) {
  for (int k = 0; k < 8; ++k) to[k * step] = static_cast<std::uint8_t>(label[k]);
}
#endif

/// x, y: output, z: slice from `first` on. The channel with the largest score; the lower one where two are equal. With
/// one channel: 1 where the score is above `threshold`.
struct ReadLabelsKernel {
  static constexpr const char* name = "infer/read_labels";
  RingReader scores;
  std::uint8_t* out;
  VoxelSteps steps;
  int channels, first;
  float threshold;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    auto best = scores.score(lanes, 0, x, y, first + z);
    auto label = select(best > threshold, Lanes::iota(0) * 0 + 1, Lanes::iota(0) * 0);
    if (channels > 1) label = label * 0;
    for (int c = 1; c < channels; ++c) {
      const auto s = scores.score(lanes, c, x, y, first + z);
      label = select(s > best, label * 0 + c, label);
      best = select(s > best, s, best);
    }
    store_at(out + steps.at(x, y, first + z), steps.x, label);
  }
};

/// x, y: output, z: (channel, slice from `first` on), slice fastest. The score itself.
struct ReadScoresKernel {
  static constexpr const char* name = "infer/read_scores";
  RingReader scores;
  float* out;
  VoxelSteps steps;
  std::int64_t channel_step;
  int first, count;
  const float *a, *b;  ///< what the intensities were scaled with: out = (score - b) / a; null: the score as it is

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const int channel = z / count, slice = first + z % count;
    const auto s = scores.score(lanes, channel, x, y, slice);
    store_at(out + channel * channel_step + steps.at(x, y, slice), steps.x, a != nullptr ? (s - *b) / *a : s);
  }
};

}  // namespace isocenter::detail
