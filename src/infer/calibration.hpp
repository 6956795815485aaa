#pragma once
// What convolutions and matrix products read on representative data, for precision = int8: measured, written and read.
#include <cstdint>
#include <string>
#include <vector>

#include "infer/schedule.hpp"

namespace isocenter::infer {

/// The ONNX metadata_props key under which a model carries its ranges.
inline constexpr const char* calibration_key = "isocenter.calibration";

/// Indices of the nodes that have ranges: what int8 is for (integers.hpp), not grouped, reading 4 channels or more.
/// Their order is the same in a graph and in the schedule made from it.
std::vector<int> quantisable(const Graph& graph);

/// Where a node's input lies on calibration data: a histogram whose limits grow with the data.
class RangeRecorder {
 public:
  /// Pixels of `channels` floats each, `step` apart. What is not finite is passed over.
  void see(const float* values, std::int64_t pixels, std::int64_t channels, std::int64_t step);
  /// The narrowest range that leaves out at most 100 - percentile % of the values, half of it on each side, or all of
  /// it above where none is negative.
  void range(double percentile, float& low, float& high) const;
  /// The root of the mean square that 8 bits over such a range take from the values, over theirs: rounding, and what
  /// lies outside.
  double error(float low, float high) const;

 private:
  void widen();

  static constexpr int bins = 4096;
  std::vector<std::int64_t> histogram_ = std::vector<std::int64_t>(bins);
  float limit_ = 0.0F;  ///< bins cover [-limit, limit]
  float least_ = 0.0F, most_ = 0.0F;
  std::int64_t count_ = 0;
};

/// The graph that ranges are for, and the names of its quantisable nodes.
struct CalibrationTarget {
  std::string header;
  std::vector<std::string> names;
};
CalibrationTarget calibration_target(const Graph& graph);

/// What stands under calibration_key: the target's header, then `low high error name` for each of its nodes.
std::string calibration_text(const CalibrationTarget& target, const std::vector<RangeRecorder>& recorders,
                             double percentile);

/// Sets the grids of products from the graph's metadata: what a product makes has one too where only products read it.
/// A node stays in real numbers, and is named in `wide`, where int8 is not for it, where its input and weights would
/// lose more than 5 % of their norm, or where oneDNN has no integer primitive for it. Errors: invalid_argument (no
/// ranges), bad_data (ranges of another network, or that are none, or two for one value).
void apply_calibration(Graph& graph, std::vector<std::string>& wide);

}  // namespace isocenter::infer
