#include "measure_segments.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>
#include <string>

namespace isocenter::detail::dicom {
namespace {

struct Sums {
  std::int64_t n = 0;
  double mean = 0, squares = 0;  ///< squares: of the differences from the mean
  double low = 0, high = 0;

  void add(double v) {
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
      sums[label - 1].add(v);
    }
  });
  std::vector<SegmentMeasurement> result(segments);
  const double voxel = g.spacing_mm[0] * g.spacing_mm[1] * g.spacing_mm[2];
  for (std::size_t s = 0; s < segments; ++s) {
    Sums all;
    for (std::size_t k = 0; k < static_cast<std::size_t>(nz); ++k) all.add(by_slice[segments * k + s]);
    const double spread = all.n > 1 ? std::sqrt(all.squares / static_cast<double>(all.n - 1)) : 0;
    result[s] = {all.n, voxel * static_cast<double>(all.n), all.mean, spread, all.low, all.high};
  }
  return result;
}

}  // namespace isocenter::detail::dicom
