#pragma once
// Filtered back projection in planes: where a view sees a pixel, and the sum over views. Also the steps around the
// Fourier transform of a device that has one of its own; the CPU's filter is fbp_filter.hpp.
#include <cstdint>

#include "core/launch.hpp"
#include "recon/row_extension.hpp"

namespace isocenter::detail {

enum class FbpBeam : int { parallel, flat_fan, curved_fan };

/// arctan(x), error below 1e-7. By arctan(x) = π/4 + arctan((x - 1) / (x + 1)) the polynomial (minimax over
/// [0, tan(π/8)], fitted for this file) gets no more than tan(π/8); beyond 1 / tan(π/8) by π/2 - arctan(1/x).
template <class Float>
ISOCENTER_HD Float arctangent(Float x) {
  const Float size = max(x, -x);
  const auto large = size > 2.41421356F, middle = size > 0.41421356F;
  const Float above = select(large, Float{} - 1.0F, size - 1.0F), below = select(large, size, size + 1.0F);
  const Float t = select(middle, above / below, size);
  const Float start = select(large, Float{} + 1.57079633F, select(middle, Float{} + 0.785398163F, Float{}));
  const Float z = t * t;
  const Float y = start + (t + t * (z * (-0.33332955F + z * (0.19977926F + z * (-0.13879847F + z * 0.08060301F)))));
  return select(x < Float{}, -y, y);
}

/// A view and the pixel (x, y) of the grid, with a(x, y) = across[0] x + across[1] y + across[2], d likewise:
///   parallel    column a, weight 1
///   flat fan    column a / d, weight 1 / d²: d is the depth along the detector's normal, 1 at the rotation centre
///   curved fan  column middle + columns_per_rad · arctan(a / d), weight 1 / (a² + d²): d along the middle column's ray
/// Weights: Kak and Slaney, "Principles of Computerized Tomographic Imaging" (1988), sections 3.4.1 (curved, 1 / L²)
/// and 3.4.2 (flat, 1 / U²).
struct FbpView {
  float across[3], depth[3];
  float middle, columns_per_rad;
};

/// Filtered rows of all views and some slices; columns of zeros on both sides. A row per slice (by_slice), or slices
/// next to each other (by_column), sixteen of them whether they are in use or not.
struct FbpStack {
  static constexpr int left = 16, right = 48;  ///< zero columns of by_slice: what a register reads past the detector
  static constexpr int slices_together = 16;
  float* data;
  int columns, slices;
  int zeros_left, zeros_right;
  int column_stride, slice_stride;
  std::int64_t view_stride;

  static constexpr FbpStack by_slice(float* data, int columns, int slices) {
    const int row = (left + columns + right + 15) / 16 * 16;
    return {data, columns, slices, left, row - left - columns, 1, row, static_cast<std::int64_t>(row) * slices};
  }
  static constexpr FbpStack by_column(float* data, int columns, int slices) {
    return {data, columns, slices, 1, 2, slices_together, 1, static_cast<std::int64_t>(columns + 3) * slices_together};
  }
  ISOCENTER_HD float* at(int n, int column, int slice) const {
    return data + n * view_stride + static_cast<std::int64_t>(column + zeros_left) * column_stride +
           static_cast<std::int64_t>(slice) * slice_stride;
  }
};

/// image = initial + sum over views of weight · row(column), linear between columns, 0 off the detector. Launched over
/// nx × ny × slices.
struct FbpBackProject {
  static constexpr const char* name = "recon/fbp_back_project";
  FbpStack stack;
  const FbpView* views;
  int count;
  FbpBeam beam;
  float* image;  ///< slices × ny × nx
  int nx, ny;
  float initial;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const Float px = to_float(Lanes::iota(x));
    const float py = to_float(y);
    Float sum = px * 0.0F + initial;
    for (int n = 0; n < count; ++n) {
      const FbpView& v = views[n];
      Float column = v.across[0] * px + (v.across[1] * py + v.across[2]), weight = px * 0.0F + 1.0F;
      if (beam != FbpBeam::parallel) {
        const Float depth = v.depth[0] * px + (v.depth[1] * py + v.depth[2]);
        const Float inverse = 1.0F / depth, slope = column * inverse;
        if (beam == FbpBeam::flat_fan) {
          column = slope;
          weight = inverse * inverse;
        } else {
          weight = 1.0F / (column * column + depth * depth);
          column = v.middle + v.columns_per_rad * arctangent(slope);
        }
      }
      column = clamp(column, -1.0F, to_float(stack.columns));
      const auto low = floor_to_int(column);
      const Float part = column - to_float(low);
      const float* row = stack.at(n, 0, z);
      const Float a = gather(row, low * stack.column_stride);
      const Float b = gather(row, (low + 1) * stack.column_stride);
      sum = sum + weight * (a + part * (b - a));
    }
    store(image + (static_cast<std::int64_t>(z) * ny + y) * nx + x, sum);
  }
};

/// What is filtered: slice j of this pass is detector row first_row + j row_step of every view.
struct FbpLines {
  const float* projections;  ///< views × rows × columns
  const float* weights;      ///< views × (columns and extension)
  int columns, rows;
  int begin;  ///< the filtered row's column that is column 0 of the readings
  int first_row, row_step;
  RowExtension extension;

  ISOCENTER_HD std::int64_t place(int n, int slice) const {
    return (static_cast<std::int64_t>(n) * rows + first_row + slice * row_step) * columns;
  }
  ISOCENTER_HD const float* readings(int n, int slice) const { return projections + place(n, slice); }
  /// Of the readings' column 0; those of the columns by which rows go on stand beside the readings'.
  ISOCENTER_HD const float* weights_of(int n) const {
    const int before = extension.before();
    return weights + static_cast<std::int64_t>(n) * (before + columns + extension.after()) + before;
  }
  /// The end of a row on one side.
  ISOCENTER_HD RowEdge<float> edge(bool on_left, int n, int slice) const {
    float last[row_edge_readings];
    const int count = min(row_edge_readings, columns);
    for (int k = 0; k < count; ++k) last[k] = readings(n, slice)[on_left ? k : columns - 1 - k];
    return row_edge(last, count);
  }
};

/// Weighted readings with zeros behind them, or what they go on as; what lies left of the first column at the end.
/// Launched over length × slices × views.
struct FbpWeightLines {
  static constexpr const char* name = "recon/fbp_weight_lines";
  FbpLines lines;
  float* padded;
  int slices, length;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const RowExtension& e = lines.extension;
    const int columns = lines.columns;
    const auto place = Lanes::iota(x);
    const auto i = select(place >= length - e.columns, place - length, place) - lines.begin;
    Float p = select((i >= 0) & (i < columns), gather(lines.readings(z, y), clamp(i, 0, columns - 1)), Float{});
    if (e.left) {
      const RowEdge<float> end = lines.edge(true, z, y);
      p = select(i < 0, e.beyond(RowEdge<Float>{Float{} + end.value, Float{} + end.slope}, to_float(-i)), p);
    }
    if (e.right) {
      const RowEdge<float> end = lines.edge(false, z, y);
      const Float on = e.beyond(RowEdge<Float>{Float{} + end.value, Float{} + end.slope}, to_float(i - (columns - 1)));
      p = select(i >= columns, on, p);
    }
    p = p * gather(lines.weights_of(z), clamp(i, -e.before(), columns - 1 + e.after()));
    store(padded + (static_cast<std::int64_t>(z) * slices + y) * length + x, p);
  }
};

/// Fills a stack by_slice, zeros too, from filtered rows; launched over slice_stride × slices × views.
struct FbpArrange {
  static constexpr const char* name = "recon/fbp_arrange";
  const float* padded;
  FbpStack stack;
  int length;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto i = Lanes::iota(x) - stack.zeros_left;
    const float* row = padded + (static_cast<std::int64_t>(z) * stack.slices + y) * length;
    store(stack.at(z, 0, y) - stack.zeros_left + x,
          select((i >= 0) & (i < stack.columns), gather(row, clamp(i, 0, stack.columns - 1)), Float{}));
  }
};

}  // namespace isocenter::detail
