#include "infer/bundle_foreground.hpp"

#include <algorithm>

namespace isocenter::infer {
namespace {

SliceBounds bounds_of(const float* slice, int nx, int ny) {
  SliceBounds b{nx, -1, ny, -1};
  for (int y = 0; y < ny; ++y) {
    const float* row = slice + static_cast<std::ptrdiff_t>(y) * nx;
    int first = 0, last = nx - 1;
    while (first < nx && !(row[first] > 0)) ++first;
    if (first == nx) continue;
    while (!(row[last] > 0)) --last;
    b.first_x = std::min(b.first_x, first);
    b.last_x = std::max(b.last_x, last);
    b.first_y = std::min(b.first_y, y);
    b.last_y = y;
  }
  return b;
}

}  // namespace

ForegroundBox find_foreground(const RunContext& run, const float* voxels, const std::array<int, 3>& size, int margin,
                              std::vector<SliceBounds>& slices) {
  const std::int64_t slice = static_cast<std::int64_t>(size[0]) * size[1];
  run.parallel_for(size[2], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z)
      slices[static_cast<std::size_t>(z)] = bounds_of(voxels + z * slice, size[0], size[1]);
  });
  std::array<int, 3> first = size, last{-1, -1, -1};
  for (int z = 0; z < size[2]; ++z) {
    const SliceBounds& b = slices[static_cast<std::size_t>(z)];
    if (b.first_x > b.last_x) continue;
    first = {std::min(first[0], b.first_x), std::min(first[1], b.first_y), std::min(first[2], z)};
    last = {std::max(last[0], b.last_x), std::max(last[1], b.last_y), z};
  }
  if (last[2] < 0)
    throw Failure(ErrorCode::bad_data, "no voxel is above 0 where CropForegroundd looks for the patient",
                  "check the volume, and the intensity scale that the bundle puts before it");
  ForegroundBox box;
  for (std::size_t k = 0; k < 3; ++k) {
    box.first[k] = std::max(0, first[k] - margin);
    box.size[k] = std::min(size[k] - 1, last[k] + margin) - box.first[k] + 1;
  }
  return box;
}

}  // namespace isocenter::infer
