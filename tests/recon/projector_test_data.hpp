#pragma once
// Scans in every geometry, and a projector with its memory, without a pipeline.
#include <numbers>
#include <random>

#include "recon/reconstruction_grid.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {

struct Setting {
  const char* name;
  Beam beam = Beam::cone;
  DetectorShape detector = DetectorShape::flat;
  int views = 13, columns = 23, rows = 19;
  int nx = 17, ny = 21, nz = 13;
  double voxel_mm[3] = {2.2, 2.2, 2.2};
  double step_mm = 3;
  double first_angle = 0.1;
  bool tilted = false;   ///< the whole scan is turned, so that nothing is parallel to the voxels' axes
  bool turns = false;    ///< and then so far that some rays step along the fast axis
  bool aligned = false;  ///< whether the tuned projectors apply
};

/// Turned by `x` rad around x, then by `y` rad around y.
inline Vector3 turned(const Vector3& v, double x, double y) {
  const double c = std::cos(x), s = std::sin(x), e = std::cos(y), f = std::sin(y);
  const Vector3 a = {v[0], c * v[1] - s * v[2], s * v[1] + c * v[2]};
  return {e * a[0] + f * a[2], a[1], e * a[2] - f * a[0]};
}

inline std::vector<View> views_of_setting(const Setting& s) {
  CircularOrbit o{.views = s.views, .columns = s.columns, .rows = s.rows};
  o.column_step_mm = o.row_step_mm = s.step_mm;
  o.first_angle_rad = s.first_angle;
  o.beam = s.beam;
  o.detector = s.detector;
  std::vector<View> views = o.build();
  if (s.tilted)
    for (View& v : views)
      for (Vector3* p : {&v.source_mm, &v.detector_origin_mm, &v.u_step_mm, &v.v_step_mm})
        *p = s.turns ? turned(*p, 0.7, 0.6) : turned(*p, 0.3, 0.2);
  return views;
}

inline std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& v : values) v = normal(generator);
  return values;
}

inline double product(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// A and its adjoint between arrays in the order of payloads.
class TestProjector {
 public:
  TestProjector(const std::vector<View>& views, Beam beam, DetectorShape detector, int columns, int rows,
                const detail::VolumeGrid& grid)
      : views_(static_cast<int>(views.size())), projector_([&] {
          detail::Acquisition scan{views, beam, detector, rows, columns};
          return detail::plan_projector(detail::projector_request(scan, grid));
        }()) {
    projector_.use(projector_.plan().lines.data());
    for (int n = 0; n < views_; ++n) order_.push_back(n);
  }
  explicit TestProjector(const Setting& s)
      : TestProjector(
            views_of_setting(s), s.beam, s.detector, s.columns, s.rows,
            {s.nx, s.ny, s.nz, Geometry::centred(s.nx, s.ny, s.nz, {s.voxel_mm[0], s.voxel_mm[1], s.voxel_mm[2]})}) {}

  const detail::Projector& projector() const { return projector_; }
  const detail::ProjectorPlan& plan() const { return projector_.plan(); }
  std::size_t voxels() const {
    const auto& n = plan().volume.n;
    return static_cast<std::size_t>(n[0]) * static_cast<std::size_t>(n[1]) * static_cast<std::size_t>(n[2]);
  }
  std::size_t rays() const {
    return static_cast<std::size_t>(views_) * static_cast<std::size_t>(plan().columns) *
           static_cast<std::size_t>(plan().rows);
  }
  const std::int32_t* order() const { return order_.data(); }
  int views() const { return views_; }

  std::vector<float> forward(const std::vector<float>& x, const detail::Launcher& launcher) const {
    std::vector<float> in = taken_volume(x), out(floats_of_views(), -7e30F), result(rays());
    const Scratch scratch(projector_.scratch_bytes(launcher));
    projector_.forward(launcher, in.data(), order_.data(), views_, out.data(), scratch.get());
    projector_.give_views(launcher, out.data(), result.data(), views_);
    return result;
  }
  std::vector<float> back(const std::vector<float>& y, const detail::Launcher& launcher) const {
    std::vector<float> in = taken_views(y), out(floats_of_volume(), -7e30F), result(voxels());
    const Scratch scratch(projector_.scratch_bytes(launcher));
    projector_.back(launcher, in.data(), order_.data(), views_, out.data(), scratch.get());
    projector_.give_volume(launcher, out.data(), result.data());
    return result;
  }
  std::vector<float> taken_volume(const std::vector<float>& x) const {
    std::vector<float> in(floats_of_volume());
    projector_.take_volume(launcher_with(1), x.data(), in.data());
    return in;
  }
  std::vector<float> taken_views(const std::vector<float>& y) const {
    std::vector<float> in(floats_of_views());
    projector_.take_views(launcher_with(1), y.data(), in.data(), views_);
    return in;
  }
  std::size_t floats_of_volume() const { return static_cast<std::size_t>(projector_.volume_floats()); }
  std::size_t floats_of_views() const { return static_cast<std::size_t>(projector_.view_floats(views_)); }

 private:
  int views_;
  detail::Projector projector_;
  std::vector<std::int32_t> order_;
};

}  // namespace isocenter::testing
