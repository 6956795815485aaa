#pragma once
// Several networks' scores to one, and scores to labels.
#include <cmath>

#include "core/lanes.hpp"

namespace isocenter::detail {

inline constexpr int most_members = 8;

/// x, y, z: elements. Mean of the members and, where `variance` is not null, their variance as a population, in two
/// steps.
struct EnsembleKernel {
  static constexpr const char* name = "volume/ensemble";
  const float* members[most_members];
  int count;
  float *mean, *variance;
  int nx, ny;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const std::int64_t at = (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const float part = 1.0F / static_cast<float>(count);
    Float sum{};
    for (int m = 0; m < count; ++m) sum += load(lanes, members[m] + at);
    const Float middle = sum * part;
    store(mean + at, middle);
    if (variance == nullptr) return;
    Float squares{};
    for (int m = 0; m < count; ++m) {
      const Float d = load(lanes, members[m] + at) - middle;
      squares += d * d;
    }
    store(variance + at, squares * part);
  }
};

enum class ScoreScale { none, softmax, sigmoid };

/// x, y, z: voxels. The label with the largest score (the first of equals), or with one channel 1 where the score is at
/// least `threshold`; the probabilities; their entropy, 1 where all are equal. The last two may be null.
struct ScoreLabelsKernel {
  static constexpr const char* name = "volume/score_labels";
  const float* scores;  ///< [channel][z][y][x]
  std::uint8_t* labels;
  float *probabilities, *entropy;
  int nx, ny, nz, channels;
  ScoreScale scale;
  float threshold;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) one((static_cast<std::int64_t>(z) * ny + y) * nx + x);
  }

 private:
  ISOCENTER_HD void one(std::int64_t at) const {
    const std::int64_t step = static_cast<std::int64_t>(nx) * ny * nz;
    float most = scores[at], sum = 0;
    int label = 0;
    for (int c = 1; c < channels; ++c)
      if (scores[c * step + at] > most) {
        most = scores[c * step + at];
        label = c;
      }
    if (scale == ScoreScale::softmax)
      for (int c = 0; c < channels; ++c) sum += expf(scores[c * step + at] - most);
    float spread = 0;
    for (int c = 0; c < channels; ++c) {
      const float score = scores[c * step + at];
      const float p = scale == ScoreScale::softmax   ? expf(score - most) / sum
                      : scale == ScoreScale::sigmoid ? 1.0F / (1.0F + expf(-score))
                                                     : score;
      if (probabilities != nullptr) probabilities[c * step + at] = p;
      if (channels == 1) {
        label = p >= threshold ? 1 : 0;
        spread += information(1.0F - p);
      }
      spread += information(p);
    }
    labels[at] = static_cast<std::uint8_t>(label);
    if (entropy != nullptr) entropy[at] = spread / logf(static_cast<float>(channels == 1 ? 2 : channels));
  }
  static ISOCENTER_HD float information(float p) { return p > 0.0F && p < 1.0F ? -p * logf(p) : 0.0F; }
};

}  // namespace isocenter::detail
