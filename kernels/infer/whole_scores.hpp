#pragma once
// Scores of a whole volume from windows whose weights are no products of three tables: the weights are summed up beside
// them, in a channel of their own behind the scores.
#include <cmath>

#include "core/lanes.hpp"
#include "volume/scores.hpp"

namespace isocenter::detail {

/// x, y: in the window, z: (channel, slice), slice fastest; channel `channels` is the weights' own. Adds weight * score
/// to scores [channel][z][y][x].
struct AddWindowKernel {
  static constexpr const char* name = "infer/add_window";
  const float* window_scores;  ///< [channel][window z][window y][window x]
  const float* weights;        ///< [window z][window y][window x]
  float* scores;
  int window[3], extent[3], start[3];  ///< x, y, z
  int channels;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    const int channel = z / window[2], slice = z % window[2];
    const std::int64_t at = (static_cast<std::int64_t>(slice) * window[1] + y) * window[0] + x;
    const std::int64_t plane = static_cast<std::int64_t>(window[0]) * window[1] * window[2];
    const auto weight = load(lanes, weights + at);
    float* to =
        scores +
        ((static_cast<std::int64_t>(channel) * extent[2] + start[2] + slice) * extent[1] + start[1] + y) * extent[0] +
        start[0] + x;
    const auto sum = load(lanes, to);
    store(to, channel == channels ? sum + weight : sum + load(lanes, window_scores + channel * plane + at) * weight);
  }
};

/// x, y, z: positions. Divides the scores of all channels by the weights' sum and brings them to probabilities, in
/// place.
struct FinishScoresKernel {
  static constexpr const char* name = "infer/finish_scores";
  float* scores;
  int extent[3], channels;
  ScoreScale activation;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    const std::int64_t step = static_cast<std::int64_t>(extent[0]) * extent[1] * extent[2];
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      float* const p = scores + (static_cast<std::int64_t>(z) * extent[1] + y) * extent[0] + x;
      const float weight = p[channels * step];
      float most = -INFINITY, sum = 0;
      for (int c = 0; c < channels; ++c) {
        const float v = p[c * step] /= weight;
        most = v > most ? v : most;
      }
      if (activation == ScoreScale::none) continue;
      const bool soft = activation == ScoreScale::softmax;
      for (int c = 0; c < channels; ++c) {
        float& v = p[c * step];
        v = soft ? expf(v - most) : 1.0F / (1.0F + expf(-v));
        sum += v;
      }
      for (int c = 0; soft && c < channels; ++c) p[c * step] /= sum;
    }
  }
};

}  // namespace isocenter::detail
