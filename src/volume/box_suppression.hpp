#pragma once
// Boxes along the voxel axes, and greedy non-maximum suppression among them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace isocenter::detail {

struct ScoredBox {
  std::array<double, 3> low, high;  ///< voxel i covers i to i + 1
  double score = 0;
  int category = 0;      ///< class, from 0
  std::int64_t row = 0;  ///< of the detector's table
  bool has_volume() const { return high[0] > low[0] && high[1] > low[1] && high[2] > low[2]; }
  double volume() const { return (high[0] - low[0]) * (high[1] - low[1]) * (high[2] - low[2]); }
};

/// The intersection over the union, or over the smaller of both; 0 for boxes that share no volume.
inline double box_overlap(const ScoredBox& a, const ScoredBox& b, bool of_smaller = false) {
  double both = 1;
  for (std::size_t i = 0; i < 3; ++i)
    both *= std::max(0.0, std::min(a.high[i], b.high[i]) - std::max(a.low[i], b.low[i]));
  if (!(both > 0)) return 0;
  return both / (of_smaller ? std::min(a.volume(), b.volume()) : a.volume() + b.volume() - both);
}

/// Of equal scores the earlier row is better, then the lower class.
inline bool is_better(const ScoredBox& a, const ScoredBox& b) {
  return a.score != b.score ? a.score > b.score : a.row != b.row ? a.row < b.row : a.category < b.category;
}

/// Adds a box, and drops the worst when there are more than `most`. The boxes are a heap, the worst on top.
inline void add_candidate(std::vector<ScoredBox>& boxes, const ScoredBox& box, std::size_t most) {
  if (boxes.size() == most) {
    if (!is_better(box, boxes.front())) return;
    std::pop_heap(boxes.begin(), boxes.end(), is_better);
    boxes.pop_back();
  }
  boxes.push_back(box);
  std::push_heap(boxes.begin(), boxes.end(), is_better);
}

/// Keeps of each class the boxes that overlap no better kept one by more than `overlap_above`, at most `most` of all,
/// from the best down.
inline void suppress_boxes(std::vector<ScoredBox>& boxes, double overlap_above, std::size_t most,
                           bool of_smaller = false) {
  std::sort(boxes.begin(), boxes.end(), is_better);
  std::size_t kept = 0;
  for (const ScoredBox& box : boxes) {
    if (kept == most) break;
    const auto covers = [&](const ScoredBox& better) {
      return better.category == box.category && box_overlap(better, box, of_smaller) > overlap_above;
    };
    const auto end = boxes.begin() + static_cast<std::ptrdiff_t>(kept);
    if (std::none_of(boxes.begin(), end, covers)) boxes[kept++] = box;
  }
  boxes.resize(kept);
}

}  // namespace isocenter::detail
