#pragma once
// Scans and reconstructions without a pipeline.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "phantom/raw_data.hpp"
#include "recon/fdk_engine.hpp"
#include "recon/volume_error.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {

/// Memory as an operator's scratch is: aligned, and holding anything.
class Scratch {
 public:
  explicit Scratch(std::uint64_t bytes) : memory_(::operator new (bytes + 1, std::align_val_t{256})) {
    std::memset(memory_, 0xff, bytes);
  }
  ~Scratch() { ::operator delete (memory_, std::align_val_t{256}); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_;
};

struct Scan {
  std::vector<View> views;
  int columns = 0, rows = 0;
  std::vector<float> projections;
};

inline Scan scan_of(const detail::Solids& solids, const std::vector<View>& views, int columns, int rows) {
  Scan scan{views, columns, rows, {}};
  const auto elements = static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows);
  scan.projections.resize(views.size() * elements);
  for (std::size_t n = 0; n < views.size(); ++n)
    detail::project(launcher_with(2), solids, views[n], Beam::cone, rows, columns, 1.0,
                    scan.projections.data() + n * elements);
  return scan;
}

inline detail::FdkRequest request_for(const Scan& scan) {
  detail::FdkRequest r;
  r.views = scan.views;
  r.columns = scan.columns;
  r.rows = scan.rows;
  return r;
}

struct Image {
  detail::VoxelGrid grid;
  std::vector<float> voxels;
  float at(std::int64_t x, std::int64_t y, std::int64_t z) const {
    return voxels[static_cast<std::size_t>((z * grid.ny + y) * grid.nx + x)];
  }
};

inline Image reconstruct(const Scan& scan, const detail::FdkRequest& request, const detail::Launcher& launcher,
                         float initial = 0.0F, const detail::FftService* fft = nullptr) {
  detail::FdkEngine engine(detail::plan_fdk(request), fft, 0, launcher.concurrency);
  const detail::FdkPlan& p = engine.plan();
  engine.use(engine.host_tables());
  const Scratch scratch(engine.scratch_bytes());
  Image image{p.grid,
              std::vector<float>(static_cast<std::size_t>(p.frames() * p.grid.nx * p.grid.ny * p.grid.nz), -7e30F)};
  engine.run(launcher, scan.projections.data(), image.voxels.data(), initial, scratch.get(), {});
  return image;
}

inline Image truth_on(const detail::VoxelGrid& grid, const detail::Solids& solids, int samples = 1) {
  Image image{grid, std::vector<float>(static_cast<std::size_t>(grid.nx * grid.ny * grid.nz))};
  const detail::Grid g{grid.nx, grid.ny, grid.nz, Geometry(grid.spacing_mm, grid.origin_mm)};
  detail::rasterise(launcher_with(2), solids, g, samples, 1.0, 0.0, image.voxels.data(), nullptr);
  return image;
}

/// Errors within a cylinder around the isocentre.
inline detail::VolumeError error_of_image(const Image& image, const Image& truth, double radius_mm,
                                          double half_height_mm) {
  const detail::VoxelGrid& g = image.grid;
  detail::ErrorRegion region{};
  for (std::size_t k = 0; k < 3; ++k) {
    region.centre[k] = -g.origin_mm[k] / g.spacing_mm[k];
    region.spacing_mm[k] = g.spacing_mm[k];
  }
  region.radius_mm = radius_mm;
  region.half_height_mm = half_height_mm;
  std::vector<double> sums(detail::volume_error_sums(g.nz));
  return detail::volume_error(launcher_with(1), image.voxels.data(), truth.voxels.data(), g.nx, g.ny, g.nz, region, 0.0,
                              sums.data());
}

/// ‖a - b‖ / ‖b‖.
inline double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace isocenter::testing
