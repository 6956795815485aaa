#pragma once
// Label maps and volumes for the tests of this room.
#include <cstdint>
#include <vector>

#include "device_test.hpp"

namespace isocenter::testing {

/// The numbers of Knuth's and Lewis's linear congruential generator without their low byte; the same in NumPy, where
/// the expected figures come from.
inline std::vector<std::uint32_t> congruential(std::size_t count, std::uint32_t seed) {
  std::vector<std::uint32_t> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back((seed = seed * 1664525U + 1013904223U) >> 8);
  return values;
}

/// Labels 1 to `labels` at `percent` of the voxels.
inline std::vector<std::uint8_t> scattered(std::size_t count, std::uint32_t percent, std::uint32_t labels = 1,
                                           std::uint32_t seed = 7) {
  std::vector<std::uint8_t> map;
  for (const std::uint32_t v : congruential(count, seed))
    map.push_back(static_cast<std::uint8_t>(v % 100 < percent ? 1 + v / 100 % labels : 0));
  return map;
}

inline Segmentation segmentation(const std::vector<std::uint8_t>& labels, std::int64_t nx, std::int64_t ny,
                                 std::int64_t nz, std::array<double, 3> spacing = {1, 1, 1}) {
  Segmentation s = Segmentation::describe(nx, ny, nz, Geometry(spacing, {0, 0, 0}));
  context().allocate(s);
  std::copy(labels.begin(), labels.end(), s.labels().span<std::uint8_t>().begin());
  return s;
}

inline std::vector<std::uint8_t> labels_of(const Payload& p) {
  const auto span = p.tensor("labels").span<std::uint8_t>();
  return {span.begin(), span.end()};
}

}  // namespace isocenter::testing
