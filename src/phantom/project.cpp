#include <algorithm>
#include <cmath>

#include "phantom/poisson.hpp"
#include "phantom/raw_data.hpp"

namespace isocenter::detail {

namespace {

constexpr int tile = 16;  // elements on a side; the solids that a tile's rays can meet are found once for all of them

struct Ray {
  Vector3 origin, direction;
  double length;
};

/// What a ray needs beside the element that it meets.
struct Scan {
  const View& view;
  Beam beam;
  DetectorShape detector;
};

Ray ray_to(const Scan& scan, double column, double row) {
  const View& view = scan.view;
  const Vector3 p = view.element_mm(column, row, scan.detector);
  if (scan.beam == Beam::parallel) return {p, view.source_mm, 0.0};
  Ray ray{view.source_mm, {p[0] - view.source_mm[0], p[1] - view.source_mm[1], p[2] - view.source_mm[2]}, 0.0};
  ray.length = std::sqrt(dot3(ray.direction.data(), ray.direction.data()));
  for (double& d : ray.direction) d /= ray.length;
  return ray;
}

/// The four planes that hold all rays of a tile between them, as inward unit normals with a point on each.
struct Frustum {
  Vector3 on[4], inward[4];

  Frustum(const Scan& scan, double c0, double c1, double r0, double r1) {
    const View& view = scan.view;
    const double cm = 0.5 * (c0 + c1);
    if (scan.detector == DetectorShape::curved) widen_rows(view, c1 - cm, &r0, &r1);
    const double rm = 0.5 * (r0 + r1);
    const Vector3 middle = view.element_mm(cm, rm, scan.detector);
    // Along the columns at the tile's middle; on a curved detector that is the tangent there.
    const Vector3 across =
        minus(view.element_mm(cm + 0.5, rm, scan.detector), view.element_mm(cm - 0.5, rm, scan.detector));
    const double edge[4][2] = {{c0, rm}, {c1, rm}, {cm, r0}, {cm, r1}};
    for (int k = 0; k < 4; ++k) {
      Vector3 n = cross(ray_to(scan, edge[k][0], edge[k][1]).direction, k < 2 ? view.v_step_mm : across);
      on[k] = view.element_mm(edge[k][0], edge[k][1], scan.detector);
      const double towards =
          n[0] * (middle[0] - on[k][0]) + n[1] * (middle[1] - on[k][1]) + n[2] * (middle[2] - on[k][2]);
      const double scale = (towards < 0.0 ? -1.0 : 1.0) / std::sqrt(dot3(n.data(), n.data()));
      for (double& x : n) x *= scale;
      inward[k] = n;
    }
  }

  /// A row of a curved detector bends away from the plane through its middle: at `half` columns from there the plane is
  /// lower by the cosine of the angle. Moves both rows outwards until the planes hold the tile's corners.
  static void widen_rows(const View& view, double half, double* r0, double* r1) {
    const double angle = half * length(view.u_step_mm) / length(view.radius_to_column_0());
    const double at_source =
        dot(minus(view.source_mm, view.detector_origin_mm), view.v_step_mm) / dot(view.v_step_mm, view.v_step_mm);
    const double farther = 1.0 / std::max(std::cos(angle), 1e-3);
    *r0 = at_source + (*r0 - at_source) * (*r0 < at_source ? farther : 1.0);
    *r1 = at_source + (*r1 - at_source) * (*r1 > at_source ? farther : 1.0);
  }

  bool misses(const Primitive& s) const {
    for (int k = 0; k < 4; ++k) {
      const double d[3] = {s.centre_mm[0] - on[k][0], s.centre_mm[1] - on[k][1], s.centre_mm[2] - on[k][2]};
      if (dot3(inward[k].data(), d) < -half_width(s, inward[k].data())) return true;
    }
    return false;
  }
};

struct Scratch {
  Hits hits;
  Candidates near;
  ChordStart starts[max_primitives];
};

void project_tile(const Solids& solids, const Scan& scan, int c0, int c1, int r0, int r1, int columns, double scale,
                  Scratch* scratch, float* out) {
  // Half an element of margin keeps a tile of one row or one column from being flat.
  const Frustum frustum(scan, c0 - 0.5, c1 - 0.5, r0 - 0.5, r1 - 0.5);
  Candidates& near = scratch->near;
  near.count = 0;
  for (std::size_t i = 0; i < solids.list.size(); ++i) {
    if (frustum.misses(solids.list[i])) continue;
    scratch->starts[near.count] = chord_start(solids.list[i], scan.view.source_mm.data());
    near.index[near.count++] = static_cast<std::int16_t>(i);
  }
  const ChordStart* starts = scan.beam == Beam::cone ? scratch->starts : nullptr;
  const PhantomView phantom = solids.view();
  for (int row = r0; row < r1; ++row)
    for (int column = c0; column < c1; ++column) {
      const Ray ray = ray_to(scan, column, row);
      const bool parallel = scan.beam == Beam::parallel;
      const double begin = parallel ? -1e9 : 0.0, end = parallel ? 1e9 : ray.length;
      find_hits(phantom, near, starts, ray.origin.data(), ray.direction.data(), begin, end, &scratch->hits);
      out[static_cast<std::int64_t>(row) * columns + column] =
          static_cast<float>(scale * integrate(phantom, scratch->hits));
    }
}

}  // namespace

void project(const Launcher& threads, const Solids& solids, const View& view, Beam beam, int rows, int columns,
             double scale, float* out, DetectorShape detector) {
  const int tiles_across = (columns + tile - 1) / tile, tiles_down = (rows + tile - 1) / tile;
  parallel_for(threads, static_cast<std::int64_t>(tiles_across) * tiles_down, 4,
               [&](std::int64_t begin, std::int64_t end) {
                 Scratch scratch;
                 for (std::int64_t t = begin; t < end; ++t) {
                   const int c0 = static_cast<int>(t % tiles_across) * tile;
                   const int r0 = static_cast<int>(t / tiles_across) * tile;
                   project_tile(solids, {view, beam, detector}, c0, std::min(c0 + tile, columns), r0,
                                std::min(r0 + tile, rows), columns, scale, &scratch, out);
                 }
               });
}

void add_photon_noise(const Launcher& threads, std::span<float> line_integrals, double photons, std::uint64_t seed,
                      std::uint64_t first_index) {
  const auto n = static_cast<std::int64_t>(line_integrals.size());
  parallel_for(threads, n, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float& p = line_integrals[static_cast<std::size_t>(i)];
      Philox random(seed, first_index + static_cast<std::uint64_t>(i));
      const double counted = poisson(photons * std::exp(-static_cast<double>(p)), random);
      p = static_cast<float>(std::log(photons / std::max(counted, 1.0)));
    }
  });
}

}  // namespace isocenter::detail
