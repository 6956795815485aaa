#include "recon/bad_reading.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "recon/fdk_filter.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

void refuse_reading(std::int64_t place, float value, int rows, int columns) {
  const std::int64_t elements = static_cast<std::int64_t>(columns) * rows;
  const std::string where = "the projection of view " + std::to_string(place / elements) + " has " +
                            std::to_string(value) + " at row " + std::to_string(place % elements / columns) +
                            ", column " + std::to_string(place % columns);
  if (std::isfinite(value))
    throw Failure(ErrorCode::bad_data, where + ", so much that its filtered row is beyond what float32 holds",
                  "give line integrals, -ln(I / I0)");
  throw Failure(ErrorCode::bad_data, where + ", which is not a number that can be filtered",
                "repair dead elements and counts of 0 before this node (line integrals are -ln(I / I0))");
}

void refuse_reading_among(const RunContext& run, std::int64_t first, std::int64_t count, int rows, int columns,
                          const std::function<const float*(std::int64_t)>& view) {
  const std::int64_t elements = static_cast<std::int64_t>(columns) * rows;
  std::vector<float> readings(static_cast<std::size_t>(elements));
  std::int64_t place = first * elements;
  float largest = 0.0F;
  for (std::int64_t n = first; n < first + count; ++n) {
    const float* from = view(n);
    if (from == nullptr) continue;
    run.copy(readings.data(), from, readings.size() * sizeof(float));
    run.wait();
    const std::int64_t at = fdk_bad_reading(readings.data(), elements);
    const float value = readings[static_cast<std::size_t>(at)];
    if (!std::isfinite(value)) refuse_reading(n * elements + at, value, rows, columns);
    if (std::fabs(value) > std::fabs(largest)) place = n * elements + at, largest = value;
  }
  refuse_reading(place, largest, rows, columns);
}

void refuse_reading_among(const RunContext& run, const float* readings, std::int64_t first, std::int64_t count,
                          int rows, int columns) {
  const std::int64_t elements = static_cast<std::int64_t>(columns) * rows;
  refuse_reading_among(run, first, count, rows, columns,
                       [&](std::int64_t n) { return readings + (n - first) * elements; });
}

void clear_note(const RunContext& run, std::int64_t* note) {
  static constexpr std::int64_t none = no_reading;
  run.copy(note, &none, sizeof none);
}

std::int64_t read_note(const RunContext& run, const std::int64_t* note) {
  std::int64_t place = no_reading;
  run.copy(&place, note, sizeof place);
  run.wait();
  return place;
}

}  // namespace isocenter::detail
