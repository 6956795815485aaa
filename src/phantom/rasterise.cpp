#include <algorithm>
#include <cmath>

#include "phantom/raw_data.hpp"

namespace isocenter::detail {

namespace {

/// A line of voxels along x as a ray whose t counts voxels: centre i is at t = i.
struct Line {
  Vector3 origin;
  Vector3 step;
};

Line line_at(const Grid& grid, double y, double z) {
  const Vector3 x = grid.geometry.axis(0);
  const double s = grid.geometry.spacing_mm[0];
  return {grid.geometry.position_mm(0.0, y, z), {x[0] * s, x[1] * s, x[2] * s}};
}

/// Lists the solids that lines in slice z, or within a voxel of it, can meet: all whose width reaches there.
Candidates near_slice(const Solids& solids, const Grid& grid, std::int64_t z) {
  const Vector3 normal = grid.geometry.axis(2);
  const Vector3 on = grid.geometry.position_mm(0, 0, static_cast<double>(z));
  Candidates near;
  for (std::size_t i = 0; i < solids.list.size(); ++i) {
    const Primitive& s = solids.list[i];
    const double d = normal[0] * (s.centre_mm[0] - on[0]) + normal[1] * (s.centre_mm[1] - on[1]) +
                     normal[2] * (s.centre_mm[2] - on[2]);
    if (std::fabs(d) <= half_width(s, normal.data()) + grid.geometry.spacing_mm[2])
      near.index[near.count++] = static_cast<std::int16_t>(i);
  }
  return near;
}

class Slice {
 public:
  Slice(const Solids& solids, const Grid& grid, std::int64_t z)
      : phantom_(solids.view()), grid_(grid), z_(z), near_(near_slice(solids, grid, z)) {}

  void centres(std::int64_t y, double scale, double offset, float* voxels, std::uint8_t* labels) {
    if (voxels != nullptr) std::fill_n(voxels, grid_.nx, static_cast<float>(offset));
    if (labels != nullptr) std::fill_n(labels, grid_.nx, std::uint8_t{0});
    meet(static_cast<double>(y), static_cast<double>(z_), -0.25, static_cast<double>(grid_.nx) - 0.75);
    for_each_piece(phantom_, hits_, [&](double begin, double end, double value, int label) {
      const auto first = static_cast<std::int64_t>(std::ceil(begin)), last = static_cast<std::int64_t>(std::floor(end));
      if (last < first) return;
      if (voxels != nullptr) std::fill(voxels + first, voxels + last + 1, static_cast<float>(scale * value + offset));
      if (labels != nullptr) std::fill(labels + first, labels + last + 1, static_cast<std::uint8_t>(label));
    });
  }

  void means(std::int64_t y, int samples, double scale, double offset, float* voxels) {
    const double weight = scale / (static_cast<double>(samples) * samples);
    for (std::int64_t x = 0; x < grid_.nx; x += chunk) {
      const std::int64_t n = std::min<std::int64_t>(chunk, grid_.nx - x);
      double sum[chunk] = {};
      for (int k = 0; k < samples; ++k)
        for (int j = 0; j < samples; ++j) {
          const double dy = (j + 0.5) / samples - 0.5, dz = (k + 0.5) / samples - 0.5;
          meet(static_cast<double>(y) + dy, static_cast<double>(z_) + dz, static_cast<double>(x) - 0.5,
               static_cast<double>(x + n) - 0.5);
          for_each_piece(phantom_, hits_, [&](double begin, double end, double value, int) {
            add(begin - static_cast<double>(x), end - static_cast<double>(x), value, n, sum);
          });
        }
      for (std::int64_t i = 0; i < n; ++i) voxels[x + i] = static_cast<float>(weight * sum[i] + offset);
    }
  }

 private:
  static constexpr std::int64_t chunk = 512;

  void meet(double y, double z, double t0, double t1) {
    const Line line = line_at(grid_, y, z);
    find_hits(phantom_, near_, nullptr, line.origin.data(), line.step.data(), t0, t1, &hits_);
  }
  /// Adds value times the length of [begin, end] inside each voxel; voxel i covers [i - 0.5, i + 0.5].
  static void add(double begin, double end, double value, std::int64_t n, double* sum) {
    const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(begin + 0.5)), 0, n - 1);
    const auto last = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(end + 0.5)), 0, n - 1);
    for (std::int64_t i = first; i <= last; ++i) {
      const double low = std::max(begin, static_cast<double>(i) - 0.5);
      const double high = std::min(end, static_cast<double>(i) + 0.5);
      if (high > low) sum[i] += value * (high - low);
    }
  }

  PhantomView phantom_;
  const Grid& grid_;
  std::int64_t z_;
  Candidates near_;
  Hits hits_;
};

}  // namespace

void rasterise(const Launcher& threads, const Solids& solids, const Grid& grid, int samples, double scale,
               double offset, float* voxels, std::uint8_t* labels) {
  parallel_for(threads, grid.nz, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z) {
      Slice slice(solids, grid, z);
      for (std::int64_t y = 0; y < grid.ny; ++y) {
        const std::int64_t row = (z * grid.ny + y) * grid.nx;
        float* v = voxels == nullptr ? nullptr : voxels + row;
        std::uint8_t* l = labels == nullptr ? nullptr : labels + row;
        if (samples == 1 || l != nullptr) slice.centres(y, scale, offset, samples == 1 ? v : nullptr, l);
        if (samples > 1 && v != nullptr) slice.means(y, samples, scale, offset, v);
      }
    }
  });
}

}  // namespace isocenter::detail
