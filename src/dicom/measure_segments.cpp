#include "measure_segments.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <isocenter/error.hpp>
#include <string>

namespace isocenter::detail::dicom {
namespace {

struct Sums {
  std::int64_t n = 0;
  double mean = 0, squares = 0;  ///< squares: of the differences from the mean
  double low = 0, high = 0;
  std::int64_t place[3] = {0, 0, 0};  ///< of all indices along x, y, z
  int first[3] = {INT_MAX, INT_MAX, INT_MAX}, last[3] = {-1, -1, -1};

  void add(double v, const int (&at)[3]) {
    for (int a = 0; a < 3; ++a) {
      place[a] += at[a];
      first[a] = std::min(first[a], at[a]);
      last[a] = std::max(last[a], at[a]);
    }
    low = n == 0 ? v : std::min(low, v);
    high = n == 0 ? v : std::max(high, v);
    const double difference = v - mean;
    mean += difference / static_cast<double>(++n);
    squares += difference * (v - mean);
  }
  void add(const Sums& other) {
    if (other.n == 0) return;
    if (n == 0) {
      *this = other;
      return;
    }
    const auto a = static_cast<double>(n), b = static_cast<double>(other.n);
    const double difference = other.mean - mean;
    squares += other.squares + difference * difference * a * b / (a + b);
    mean += difference * b / (a + b);
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    for (int a = 0; a < 3; ++a) {
      place[a] += other.place[a];
      first[a] = std::min(first[a], other.first[a]);
      last[a] = std::max(last[a], other.last[a]);
    }
    n += other.n;
  }
};

}  // namespace

std::vector<SegmentMeasurement> measure_segments(std::span<const std::uint8_t> labels, std::span<const float> values,
                                                 int nx, int ny, int nz, const Geometry& g, int count,
                                                 const Workers& workers) {
  const auto segments = static_cast<std::size_t>(count);
  const std::size_t plane = static_cast<std::size_t>(nx) * static_cast<std::size_t>(ny);
  std::vector<Sums> by_slice(segments * static_cast<std::size_t>(nz));
  workers.for_each(nz, [&](std::int64_t k) {
    Sums* sums = by_slice.data() + segments * static_cast<std::size_t>(k);
    const std::size_t first = plane * static_cast<std::size_t>(k);
    for (std::size_t i = 0; i < plane; ++i) {
      const std::size_t label = labels[first + i];
      if (label == 0 || label > segments) continue;
      const auto v = static_cast<double>(values[first + i]);
      if (!std::isfinite(v))
        throw Failure(ErrorCode::bad_data,
                      "voxel (" + std::to_string(i % static_cast<std::size_t>(nx)) + ", " +
                          std::to_string(i / static_cast<std::size_t>(nx)) + ", " + std::to_string(k) + ") of label " +
                          std::to_string(label) + " is no finite number and cannot be measured",
                      "look for the operator that made it");
      const auto x = static_cast<int>(i % static_cast<std::size_t>(nx));
      sums[label - 1].add(v, {x, static_cast<int>(i / static_cast<std::size_t>(nx)), static_cast<int>(k)});
    }
  });
  std::vector<SegmentMeasurement> result(segments);
  const double voxel = g.spacing_mm[0] * g.spacing_mm[1] * g.spacing_mm[2];
  for (std::size_t s = 0; s < segments; ++s) {
    Sums all;
    for (std::size_t k = 0; k < static_cast<std::size_t>(nz); ++k) all.add(by_slice[segments * k + s]);
    const double spread = all.n > 1 ? std::sqrt(all.squares / static_cast<double>(all.n - 1)) : 0;
    result[s] = {all.n, voxel * static_cast<double>(all.n), all.mean, spread, all.low, all.high, {}, {}};
    if (all.n == 0) continue;
    const auto n = static_cast<double>(all.n);
    const auto mean = [&](int a) { return static_cast<double>(all.place[a]) / n; };
    result[s].centroid_mm = g.position_mm(mean(0), mean(1), mean(2));
    const auto low = g.position_mm(all.first[0] - 0.5, all.first[1] - 0.5, all.first[2] - 0.5);
    const auto high = g.position_mm(all.last[0] + 0.5, all.last[1] + 0.5, all.last[2] + 0.5);
    std::copy(low.begin(), low.end(), result[s].box_mm.begin());
    std::copy(high.begin(), high.end(), result[s].box_mm.begin() + 3);
  }
  return result;
}

}  // namespace isocenter::detail::dicom
