#include "infer/components.hpp"

#include <array>
#include <utility>

namespace isocenter::infer {
namespace {

/// parent[i] < 0: i is a root, and -parent[i] the size of its set.
std::int32_t find(std::int32_t* parent, std::int32_t i) {
  while (parent[i] >= 0) {
    const std::int32_t up = parent[i];
    if (parent[up] >= 0) parent[i] = parent[up];
    i = up;
  }
  return i;
}

void unite(std::int32_t* parent, std::int32_t a, std::int32_t b) {
  a = find(parent, a);
  b = find(parent, b);
  if (a == b) return;
  if (parent[a] > parent[b]) std::swap(a, b);  // a is the larger
  parent[a] += parent[b];
  parent[b] = a;
}

}  // namespace

void keep_largest_components(std::uint8_t* labels, std::int32_t* work, int nx, int ny, int nz) {
  const auto count = static_cast<std::int32_t>(static_cast<std::int64_t>(nx) * ny * nz);
  const std::int32_t slice = nx * ny;
  for (std::int32_t i = 0; i < count; ++i) {
    work[i] = -1;
    if (labels[i] == 0) continue;
    const std::int32_t x = i % nx, y = i / nx % ny, z = i / slice;
    if (x > 0 && labels[i - 1] == labels[i]) unite(work, i - 1, i);
    if (y > 0 && labels[i - nx] == labels[i]) unite(work, i - nx, i);
    if (z > 0 && labels[i - slice] == labels[i]) unite(work, i - slice, i);
  }
  std::array<std::int32_t, 256> best{};
  best.fill(-1);
  for (std::int32_t i = 0; i < count; ++i) {  // by first voxel, so that ties do not depend on how sets were united
    if (labels[i] == 0) continue;
    const std::int32_t root = find(work, i);
    auto& kept = best[labels[i]];
    if (kept < 0 || work[root] < work[kept]) kept = root;
  }
  for (std::int32_t i = 0; i < count; ++i)
    if (labels[i] != 0 && find(work, i) != best[labels[i]]) labels[i] = 0;
}

}  // namespace isocenter::infer
