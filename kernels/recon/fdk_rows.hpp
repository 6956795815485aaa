#pragma once
// The rows that the ramp filter takes: a detector's readings where it has some, resampled onto another detector where
// the real one is not aligned, continued beyond a side that the object reaches over, and weighted.
#include <cstdint>

#include "core/lane_math.hpp"
#include "core/launch.hpp"
#include "recon/fdk.hpp"
#include "recon/row_extension.hpp"

namespace isocenter::detail {

/// What the elements of one view are multiplied with before filtering: weight / sqrt(1 + a² + b² + 2 shear a b) with
/// a = column_slope (i - centre_column), b = row_slope (j - centre_row), the ray's distance to the element against the
/// detector's, times the redundancy table at a place that is i itself unless rows and columns are oblique.
struct FdkViewWeight {
  float centre_column, centre_row;  ///< where the normal through the source meets the detector
  float column_slope, row_slope;    ///< element steps over the source's distance from the detector
  float weight;
  float shear = 0;  ///< cosine of the angle between the columns' and the rows' steps
  /// Place in the table: c + (i - c + table_shear k) / (1 + table_scale k), c = table_column, k = j - table_row.
  float table_column = 0, table_row = 0, table_shear = 0, table_scale = 0;
};

/// Element (i, j) of the stack's detector lies on the real one at column u, row v: with q = m[6] i + m[7] j + m[8],
///   u q = m[0] i + m[1] j + m[2], v q = m[3] i + m[4] j + m[5]
/// Off the detector by no more than `reach` elements the nearest one counts, further away it is 0.
struct FdkRectification {
  float m[9];
  float reach_columns, reach_rows;
};

/// Keys' cubic convolution (IEEE Trans. Acoust. Speech Signal Process. 29 (1981) 1153, equation 15): weights of the
/// samples at -1, 0, 1, 2 for a place f in [0, 1].
template <class Float>
struct CubicWeights {
  Float a, b, c, d;
  ISOCENTER_HD explicit CubicWeights(Float f)
      : a(f * (-0.5F + f * (1.0F - 0.5F * f))),
        b(1.0F + f * f * (-2.5F + 1.5F * f)),
        c(f * (0.5F + f * (2.0F - 1.5F * f))),
        d(f * f * (-0.5F + 0.5F * f)) {}
};

struct FdkRows {
  const float* projections;      ///< views × raw_rows × raw_columns, the first of them view `first` of the scan
  const std::int64_t* order;     ///< which projection the stack's view n is made of
  const FdkViewWeight* weights;  ///< one for each view of the stack
  int raw_columns, raw_rows;
  int columns;                                      ///< of the stack
  int begin, end;                                   ///< the stack's columns that have readings
  const FdkRectification* rectification = nullptr;  ///< null: reading (i - begin, j) of the view
  const float* redundancy = nullptr;                ///< one number for each column of the stack; null: all 1
  std::int64_t redundancy_stride = 0;               ///< from one view to the next; 0: one row for all
  RowExtension extension;
  std::int64_t first = 0;
  int first_row = 0;  ///< of the detector: row 0 of the stack, where nothing is resampled

  ISOCENTER_HD const float* view(int n) const {
    return projections + (order[n] - first) * (static_cast<std::int64_t>(raw_rows) * raw_columns);
  }

  /// The reading of the stack's element (i, j), begin <= i < end.
  template <class Lanes>
  ISOCENTER_HD typename Lanes::Float reading(Lanes lanes, typename Lanes::Int i, int j, int n) const {
    if (rectification == nullptr)
      return gather(view(n) + static_cast<std::int64_t>(j + first_row) * raw_columns,
                    clamp(i - begin, 0, raw_columns - 1));
    return resampled(lanes, i, j, n);
  }

  template <class Lanes>
  ISOCENTER_HD typename Lanes::Float resampled(Lanes, typename Lanes::Int i, int j, int n) const {
    using Float = typename Lanes::Float;
    const FdkRectification& r = rectification[n];
    const Float x = to_float(i);
    const float y = to_float(j);
    const Float scale = 1.0F / (r.m[6] * x + (r.m[7] * y + r.m[8]));
    const Float u = (r.m[0] * x + (r.m[1] * y + r.m[2])) * scale;
    const Float v = (r.m[3] * x + (r.m[4] * y + r.m[5])) * scale;
    const float last_u = to_float(raw_columns - 1), last_v = to_float(raw_rows - 1);
    const auto near =
        (u >= -r.reach_columns) & (u <= last_u + r.reach_columns) & (v >= -r.reach_rows) & (v <= last_v + r.reach_rows);
    const Float on_u = clamp(u, 0.0F, last_u), on_v = clamp(v, 0.0F, last_v);
    const auto iu = floor_to_int(on_u), iv = floor_to_int(on_v);
    const CubicWeights<Float> wu(on_u - to_float(iu)), wv(on_v - to_float(iv));
    const auto i0 = clamp(iu - 1, 0, raw_columns - 1), i2 = clamp(iu + 1, 0, raw_columns - 1),
               i3 = clamp(iu + 2, 0, raw_columns - 1);
    const float* from = view(n);
    const auto along = [&](auto row) __attribute__((always_inline)) {
      const auto at = clamp(row, 0, raw_rows - 1) * raw_columns;
      return (wu.a * gather(from, at + i0) + wu.b * gather(from, at + iu)) +
             (wu.c * gather(from, at + i2) + wu.d * gather(from, at + i3));
    };
    const Float p = (wv.a * along(iv - 1) + wv.b * along(iv)) + (wv.c * along(iv + 1) + wv.d * along(iv + 2));
    return select(near, p, Float{});
  }

  /// The geometric part of an element's weight.
  template <class Float>
  ISOCENTER_HD Float weight_of(const FdkViewWeight& w, Float column, Float row) const {
    const Float a = (column - w.centre_column) * w.column_slope, b = (row - w.centre_row) * w.row_slope;
    return w.weight * inverse_sqrt((1.0F + b * b) + a * (a + (2.0F * w.shear) * b));
  }

  /// How much a ray counts beside the others along its line.
  template <class Float>
  ISOCENTER_HD Float redundancy_at(Float column, int j, int n) const {
    const FdkViewWeight& w = weights[n];
    const float k = to_float(j) - w.table_row;
    const Float place =
        w.table_column + ((column - w.table_column) + w.table_shear * k) * (1.0F / (1.0F + w.table_scale * k));
    const Float at = clamp(place, 0.0F, to_float(columns - 1));
    const auto low = floor_to_int(at);
    const float* table = redundancy + redundancy_stride * n;
    const Float a = gather(table, low), b = gather(table, clamp(low + 1, 0, columns - 1));
    return a + (at - to_float(low)) * (b - a);
  }

  /// The end of row j on one side.
  ISOCENTER_HD RowEdge<float> edge(bool left, int j, int n) const {
    float last[row_edge_readings];
    const int count = min(row_edge_readings, end - begin);
    for (int k = 0; k < count; ++k) last[k] = reading(Scalar{}, left ? begin + k : end - 1 - k, j, n);
    return row_edge(last, count);
  }
};

}  // namespace isocenter::detail
