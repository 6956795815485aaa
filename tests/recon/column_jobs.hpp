#pragma once
// Back projections of a helix and along a displacement field, of filtered views of white noise: for tests and
// benchmarks of their variants.
#include <cmath>
#include <numbers>
#include <ostream>
#include <vector>

#include "phantom/poisson.hpp"
#include "recon/helical_simd.hpp"
#include "recon/motion_simd.hpp"
#include "recon_test_data.hpp"

namespace isocenter::testing {

inline std::vector<float> noise_stack(detail::FdkStack* stack, int views) {
  std::vector<float> memory(static_cast<std::size_t>(views) * static_cast<std::size_t>(stack->view_stride) + 16, 0.0F);
  stack->data = memory.data();
  detail::Philox random(static_cast<std::uint64_t>(stack->columns * 1000 + stack->rows), 0);
  for (int n = 0; n < views; ++n)
    for (int i = 0; i < stack->columns; ++i)
      for (int j = 0; j < stack->rows; ++j) stack->column(n, i)[j] = static_cast<float>(random.uniform(-1, 1));
  return memory;
}

struct HelicalShape {
  const char* what;
  int nx, ny, nz;
  double voxel_mm, slice_mm;
  int columns, rows, directions;
  double row_mm;  ///< at the detector
  double pitch;
  bool flat = false, downwards = false;
  double first_turn = 0;  ///< where the helix begins, in half turns from the one whose source is at slice 0
};

/// A helix of 570 mm to the axis and 1040 mm to the detector; its columns see a radius of 110 mm.
struct HelicalJob {
  static constexpr double radius = 570, detector = 1040, sight = 110;
  detail::FdkStack stack;
  std::vector<float> memory, directions;
  std::vector<detail::HelicalHalfTurn> turns;
  detail::HelicalGeometry g{};
  int nx, ny, nz, half_turns, views;

  explicit HelicalJob(const HelicalShape& s) : nx(s.nx), ny(s.ny), nz(s.nz) {
    const double pi = std::numbers::pi, sense = s.downwards ? -1.0 : 1.0;
    const double turn_mm = s.pitch * s.rows * s.row_mm * radius / detector, half_turn_mm = 0.5 * turn_mm;
    const double reach = 0.5 * s.rows * s.row_mm / detector * (radius + sight) + turn_mm * std::asin(sight / radius);
    const double below = std::ceil(reach / half_turn_mm) + 1;
    half_turns = static_cast<int>(2 * below + std::ceil(s.nz * s.slice_mm / half_turn_mm));
    views = half_turns * s.directions;
    for (int a = 0; a < s.directions; ++a) {
      const double turned = pi * a / s.directions;
      directions.push_back(static_cast<float>(std::cos(0.3 + sense * turned)));
      directions.push_back(static_cast<float>(std::sin(0.3 + sense * turned)));
      for (int k = 0; k < half_turns; ++k) {
        const double view = a + static_cast<double>(k) * s.directions + 0.25;
        const double source = (turned / pi + k - below - s.first_turn) * half_turn_mm;
        turns.push_back(
            {static_cast<int>(view), 0.25F, static_cast<float>(s.downwards ? s.nz * s.slice_mm - source : source)});
      }
    }
    stack = detail::FdkStack::describe(nullptr, s.columns, s.rows);
    memory = noise_stack(&stack, views);
    g.x_mm = static_cast<float>(-0.5 * (s.nx - 1) * s.voxel_mm + 1.3);
    g.y_mm = static_cast<float>(-0.5 * (s.ny - 1) * s.voxel_mm - 0.4);
    g.dx_mm = g.dy_mm = static_cast<float>(s.voxel_mm);
    g.dz_mm = static_cast<float>(s.slice_mm);
    g.radius_mm = static_cast<float>(radius);
    g.first_t_mm = static_cast<float>(-sight);
    g.columns_per_mm = static_cast<float>((s.columns - 1) / (2 * sight));
    g.rows_per_slope = static_cast<float>((s.downwards ? -1 : 1) * detector / s.row_mm);
    g.centre_row = 0.5F * static_cast<float>(s.rows - 1) + 0.2F;
    g.feed_mm = static_cast<float>((s.downwards ? -1 : 1) * sense * turn_mm / (2 * pi));
    g.views_per_rad = static_cast<float>(sense * s.directions / pi);
    g.reach_mm = static_cast<float>(reach);
    g.flat = s.flat;
    g.full_part = 0.7F;
  }

  detail::HelicalBackProject kernel(std::vector<float>& volume, bool goes_on = false) const {
    return {stack,
            {turns.data(), half_turns, half_turns},
            detail::HelicalPlaces::in_order(half_turns),
            directions.data(),
            static_cast<int>(directions.size() / 2),
            views,
            volume.data(),
            nx,
            ny,
            nz,
            0,
            g,
            0.25F,
            goes_on};
  }
  std::size_t voxels() const { return static_cast<std::size_t>(nx) * static_cast<std::size_t>(ny * nz); }
};

inline std::ostream& operator<<(std::ostream& os, const HelicalShape& s) { return os << s.what; }

struct MotionShape {
  const char* what;
  int nx, ny, nz;
  double voxel_mm;
  int columns, rows, views;
  double element_mm;
  int nodes;  ///< along each axis of the field; one more along y, two more along z
  double node_mm;
  double motion_mm;  ///< largest displacement; neighbouring nodes differ by about a third of it
  int column_axis = 2;
};

inline std::ostream& operator<<(std::ostream& os, const MotionShape& s) { return os << s.what; }

/// A circular scan and a field of sines that turn along all axes.
struct MotionJob {
  detail::FdkStack stack;
  std::vector<float> memory, field[3], blended;
  std::vector<detail::FdkMatrix> matrices;
  std::vector<detail::MotionMoment> moments;
  detail::MotionGrid grid{};
  detail::MotionBlend blend{};
  int nx, ny, nz, column_axis;

  explicit MotionJob(const MotionShape& s) : nx(s.nx), ny(s.ny), nz(s.nz), column_axis(s.column_axis) {
    CircularOrbit o{.views = s.views, .columns = s.columns, .rows = s.rows};
    o.column_step_mm = o.row_step_mm = s.element_mm;
    std::vector<View> views = o.build();
    // The orbit's axis becomes the one along which columns run.
    for (View& v : views)
      for (Vector3* p : {&v.source_mm, &v.detector_origin_mm, &v.u_step_mm, &v.v_step_mm}) {
        const Vector3 q = *p;
        for (std::size_t k = 0; k < 3; ++k) (*p)[(k + static_cast<std::size_t>(s.column_axis) + 1) % 3] = q[k];
      }
    detail::VoxelGrid voxels{s.nx, s.ny, s.nz, {}, {s.voxel_mm, s.voxel_mm, s.voxel_mm}};
    const int n[3] = {s.nx, s.ny, s.nz}, nodes[3] = {s.nodes, s.nodes + 1, s.nodes + 2};
    for (std::size_t k = 0; k < 3; ++k) {
      voxels.origin_mm[k] = -0.5 * (n[k] - 1) * s.voxel_mm + 1.5;
      grid.origin[k] = static_cast<float>(0.5 * (n[k] - 1) - 0.45 * (nodes[k] - 1) * s.node_mm / s.voxel_mm);
      grid.per_voxel[k] = static_cast<float>(s.voxel_mm / s.node_mm);
      blend.voxels_per_mm[k] = static_cast<float>(1.0 / s.voxel_mm);
    }
    grid.nx = nodes[0], grid.ny = nodes[1], grid.nz = nodes[2];
    const detail::Orbit orbit = detail::find_circular_orbit(views, Beam::cone);
    constexpr int frames = 5;
    for (int i = 0; i < s.views; ++i) {
      matrices.push_back(detail::projection_matrix(views[static_cast<std::size_t>(i)], orbit, voxels, i));
      moments.push_back({i % frames, (i + 1) % frames, 0.1F * static_cast<float>(i % 10)});
    }
    stack = detail::FdkStack::describe(nullptr, s.columns, s.rows);
    memory = noise_stack(&stack, s.views);
    for (std::size_t k = 0; k < 3; ++k)
      for (int f = 0; f < frames; ++f)
        for (int i = 0; i < grid.nodes(); ++i) {
          const int x = i % grid.nx, y = i / grid.nx % grid.ny, z = i / grid.nx / grid.ny;
          field[k].push_back(static_cast<float>(
              s.motion_mm * std::sin(0.33 * (x + 1.3 * y + 0.7 * z) + static_cast<double>(k) + 1.1 * f)));
        }
    blended.resize(static_cast<std::size_t>(s.views) *
                   static_cast<std::size_t>(std::max<std::int64_t>(
                       3LL * grid.nodes(), detail::MotionColumns::view_floats(grid, s.column_axis))));
    blend.x_mm = field[0].data(), blend.y_mm = field[1].data(), blend.z_mm = field[2].data();
    blend.moments = moments.data();
    blend.blended = blended.data();
    blend.nodes = grid.nodes();
    blend.frame_stride = grid.nodes();
  }

  int views() const { return static_cast<int>(matrices.size()); }
  std::size_t voxels() const { return static_cast<std::size_t>(nx) * static_cast<std::size_t>(ny * nz); }
  detail::MotionBackProject kernel(std::vector<float>& volume, bool goes_on = false) const {
    return {stack, matrices.data(), views(), blended.data(), grid, volume.data(), nx, ny,
            nz,    0.25F,           goes_on, column_axis};
  }
};

}  // namespace isocenter::testing
