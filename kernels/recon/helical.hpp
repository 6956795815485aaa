#pragma once
// Weighted filtered back projection of a helix (Stierstorfer, Rauscher, Boese, Bruder, Schaller and Flohr, "Weighted
// FBP: a simple approximate 3D FBP algorithm for multislice spiral CT with good dose usage for arbitrary pitch", Phys.
// Med. Biol. 49 (2004) 2209): views are rebinned along the detector's rows to parallel ones, filtered, and each voxel
// takes, for each direction in a half turn, the weighted mean of all rays along it, half a turn apart, that meet it.
//
// Angles as in CircularOrbit: at β the source stands at R (sin β, -cos β); the ray at fan angle γ (towards the gantry's
// motion for growing β) runs along (-sin θ, cos θ), θ = β - γ, at t = R sin γ from the axis, counted along (cos θ,
// sin θ).
#include "core/lane_math.hpp"
#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/fdk_rows.hpp"

namespace isocenter::detail {

/// The rays of one direction in one half turn: β of the central one is that of view `view` + `part`, 0 <= part < 1.
struct HelicalHalfTurn {
  int view;
  float part;
  float source_mm;  ///< its source's z from that of the grid's slice 0
};

/// From a table of directions × `stride` half turns those that a volume meets, `count` of each direction.
struct HelicalTurns {
  const HelicalHalfTurn* first;  ///< of the first direction
  int count, stride;
};

/// Where the filtered view of direction a and half turn k lies in a stack: half turns one after the other, or of each
/// direction a ring of `held`.
struct HelicalPlaces {
  int direction_step, turn_step, first_turn, held;

  static HelicalPlaces in_order(int turns) { return {turns, 1, 0, turns}; }
  ISOCENTER_HD std::int64_t at(int a, int k) const {
    const int turn = first_turn + k, place = turn < held ? turn : turn - held;
    return static_cast<std::int64_t>(a) * direction_step + static_cast<std::int64_t>(place) * turn_step;
  }
};

/// The views of a scan, all of them in one array, or a ring of some of them for each half turn, in which view v lies at
/// place v % held: at least the `window` views from first_in(half turn of the first direction) on.
struct HelicalViews {
  const float* readings;  ///< places × rows × columns
  int count;              ///< of the scan
  int before, window, held;
  bool rings;

  static HelicalViews all(const float* readings, int count) { return {readings, count, 0, count, count, false}; }
  ISOCENTER_HD int first_in(const HelicalHalfTurn& h) const { return clamp(h.view - before, 0, count - window); }
};

/// Where a parallel view's column lies in the fan.
struct HelicalColumn {
  float raw_column;
  float view_shift;  ///< views from the central ray's to this one's
  float slope;       ///< tangent of the cone angle for one row
};

/// parallel[n][row][i]: the readings of half turn n % turns.count of direction n / turns.count along parallel rays, by
/// cubic convolution between views and columns, times the cosine of the cone angle. Launched over columns × rows ×
/// (directions × turns.count).
struct HelicalRebin {
  static constexpr const char* name = "recon/helical_rebin";
  HelicalViews views;
  HelicalTurns turns;
  const HelicalColumn* columns;
  float* parallel;
  int rows, raw_columns, column_count;
  float centre_row;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int n) const {
    using Float = typename Lanes::Float;
    const int k = n % turns.count;
    const HelicalHalfTurn h = turns.first[static_cast<std::int64_t>(n / turns.count) * turns.stride + k];
    const auto at = Lanes::iota(x) * 3;
    const auto* table = reinterpret_cast<const float*>(columns);
    const Float u = gather(table, at), shift = gather(table, at + 1) + h.part;
    const Float tangent = gather(table, at + 2) * (to_float(y) - centre_row);
    const auto iu = floor_to_int(u), iv = floor_to_int(shift);
    const CubicWeights<Float> wu(u - to_float(iu)), wv(shift - to_float(iv));
    const auto i0 = clamp(iu - 1, 0, raw_columns - 1), i1 = clamp(iu, 0, raw_columns - 1),
               i2 = clamp(iu + 1, 0, raw_columns - 1), i3 = clamp(iu + 2, 0, raw_columns - 1);
    const int first = views.first_in(turns.first[k]), first_place = first % views.held;
    // Offsets are counted from a view nearby, so that they fit into 32 bits.
    const int nearest = clamp(h.view, first, first + views.window - 1) - first + first_place;
    const int near = nearest < views.held ? nearest : nearest - views.held;
    const int view_floats = rows * raw_columns;
    const int place = near + (views.rings ? k * views.held : 0);
    const float* from =
        views.readings + static_cast<std::int64_t>(place) * view_floats + static_cast<std::int64_t>(y) * raw_columns;
    const auto along = [&](auto view) __attribute__((always_inline)) {
      const auto unrolled = clamp(view + h.view, 0, views.count - 1) + (first_place - first);
      const auto wrapped = unrolled - clamp(unrolled - (views.held - 1), 0, 1) * views.held;
      const auto row = (wrapped - near) * view_floats;
      return (wu.a * gather(from, row + i0) + wu.b * gather(from, row + i1)) +
             (wu.c * gather(from, row + i2) + wu.d * gather(from, row + i3));
    };
    const Float p = (wv.a * along(iv - 1) + wv.b * along(iv)) + (wv.c * along(iv + 1) + wv.d * along(iv + 2));
    store(parallel + (static_cast<std::int64_t>(n) * rows + y) * column_count + x,
          p * inverse_sqrt(1.0F + tangent * tangent));
    (void)lanes;
  }
};

/// The gantry and the detector, lengths in mm; the grid's first voxel is counted from the axis.
struct HelicalGeometry {
  float x_mm, y_mm;                  ///< of voxel (0, 0, 0)
  float dx_mm, dy_mm, dz_mm;         ///< voxel steps
  float radius_mm;                   ///< source to axis
  float first_t_mm, columns_per_mm;  ///< of the parallel views
  float rows_per_slope;              ///< detector rows for a slope of 1 (height over way across the axis)
  float centre_row;                  ///< where the source's plane meets the detector
  float feed_mm;                     ///< way of the source along z for one rad
  float views_per_rad;               ///< both signed
  float reach_mm;                    ///< no voxel meets a ray whose central source is farther away along z
  bool flat;
  float full_part;  ///< rays within this part of the detector's height count fully
};

/// volume += Σ over directions of (Σ weight · reading) / (Σ weight) over the half turns. Launched over the volume.
struct HelicalBackProject {
  static constexpr const char* name = "recon/helical_back_project";
  FdkStack stack;
  HelicalTurns turns;
  HelicalPlaces places;
  const float* directions;  ///< cos θ, sin θ of each direction's half turn 0
  int direction_count, views;
  float* volume;  ///< its slice 0 is the grid's slice first_z
  int nx, ny, nz, first_z;
  HelicalGeometry g;
  float initial;
  bool goes_on;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    float* voxel = volume + (static_cast<std::int64_t>(z) * ny + y) * nx + x;
    const Float xs = g.x_mm + to_float(Lanes::iota(x)) * g.dx_mm;
    const float ys = g.y_mm + to_float(y) * g.dy_mm, zs = to_float(first_z + z) * g.dz_mm;
    const float middle = 0.5F * to_float(stack.rows - 1), last_column = to_float(stack.columns - 1);
    const float half_turn_mm = 3.14159265F * g.feed_mm;  // signed with the sense of rotation below
    const float step = g.views_per_rad < 0.0F ? -half_turn_mm : half_turn_mm;
    Float sum = goes_on ? load(lanes, voxel) : Float{} + initial;
    for (int a = 0; a < direction_count; ++a) {
      const float c = directions[2 * a], s = directions[2 * a + 1];
      const HelicalHalfTurn* of_direction = turns.first + static_cast<std::int64_t>(a) * turns.stride;
      // Half turns whose sources may be near enough.
      const float low = (zs - of_direction[0].source_mm - g.reach_mm) / step,
                  high = (zs - of_direction[0].source_mm + g.reach_mm) / step;
      const int first = clamp(floor_to_int(min(low, high)), 0, turns.count);
      const int behind = clamp(floor_to_int(max(low, high)) + 2, 0, turns.count);
      const Float t0 = xs * c + ys * s, l0 = ys * c - xs * s;
      const Float across = square_root(max(g.radius_mm * g.radius_mm - t0 * t0, Float{} + 1.0F));
      const Float cosine = across * (1.0F / g.radius_mm);
      // asin by the half angle, whose series then needs four terms.
      const Float h = t0 * (1.0F / g.radius_mm) * inverse_sqrt(2.0F + 2.0F * cosine), h2 = h * h;
      const Float fan0 = 2.0F * h * (1.0F + h2 * (0.16666667F + h2 * (0.075F + h2 * (0.04464286F + h2 * 0.03038194F))));
      const Float rows_per_slope = g.flat ? g.rows_per_slope / cosine : Float{} + g.rows_per_slope;
      Float readings{}, weights{};
      for (int k = first; k < behind; ++k) {
        const float sign = (k & 1) != 0 ? -1.0F : 1.0F;
        const Float fan = fan0 * sign;
        const Float u = (t0 * sign - g.first_t_mm) * g.columns_per_mm;
        const Float row =
            g.centre_row + rows_per_slope * (zs - (of_direction[k].source_mm + g.feed_mm * fan)) / (across + l0 * sign);
        const Float view = to_float(of_direction[k].view) + (of_direction[k].part + fan * g.views_per_rad);
        const Float edge = max(row - middle, middle - row) * (1.0F / middle);
        const Float part = clamp((1.0F - edge) * (1.0F / (1.0F - g.full_part)), 0.0F, 1.0F);
        const auto seen =
            (u > -0.75F) & (u < last_column + 0.75F) & (view > -1e-3F) & (view < to_float(views - 1) + 1e-3F);
        const Float weight = select(seen, part * part * (3.0F - 2.0F * part), Float{});
        const Float on_u = clamp(u, 0.0F, last_column), on_v = clamp(row, 0.0F, 2.0F * middle);
        const auto iu = floor_to_int(on_u), iv = floor_to_int(on_v);
        const Float fu = on_u - to_float(iu), fv = on_v - to_float(iv);
        const float* from = stack.column(places.at(a, k), 0);
        const auto at = iu * stack.row_stride + iv;
        const Float p0 = gather(from, at), p1 = gather(from, at + 1);
        const Float q0 = gather(from, at + stack.row_stride), q1 = gather(from, at + (stack.row_stride + 1));
        const Float p = p0 + fv * (p1 - p0), q = q0 + fv * (q1 - q0);
        readings += weight * (p + fu * (q - p));
        weights += weight;
      }
      sum += select(weights > 0.0F, readings / max(weights, Float{} + 1e-20F), Float{});
    }
    store(voxel, sum);
  }
};

}  // namespace isocenter::detail
