#pragma once
// Projections on their way to a voxel-driven back projection: from the projector's order into the stack that FDK's back
// projection reads, each element times its share of the adjoint's weight (src/recon/voxel_driven.hpp).
#include "core/lane_math.hpp"
#include "recon/fdk.hpp"

namespace isocenter::detail {

/// The weight of element (i, j) of one view: sqrt(a + i (b + i d) + j (c + i e + j f)).
struct VoxelDrivenWeight {
  float a, b, c, d, e, f;
};

/// Fills the stack, zeros around the views too; launched over stack.row_stride × (stack.columns + 2) × views.
struct VoxelDrivenArrange {
  static constexpr const char* name = "recon/voxel_driven_arrange";
  const float* in;
  FdkStack stack;
  const VoxelDrivenWeight* weights;  ///< one for each view of the stack
  std::int64_t from_view;
  std::int32_t from_column, from_row;  ///< floats in `in` from one view, column, row to the next

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x, int y, int z) const {
    using Float = typename Lanes::Float;
    const auto j = Lanes::iota(x) - FdkStack::pad;
    const int column = y - 1;
    const bool on_detector = column >= 0 && column < stack.columns;
    Float value = Float{};
    if (on_detector) {
      const VoxelDrivenWeight& w = weights[z];
      const float i = to_float(column);
      const Float row = to_float(j);
      const Float weight = square_root(max((w.a + i * (w.b + i * w.d)) + row * (w.c + i * w.e + row * w.f), Float{}));
      const float* from = in + z * from_view + static_cast<std::int64_t>(column) * from_column;
      value =
          select((j >= 0) & (j < stack.rows), weight * gather(from, clamp(j, 0, stack.rows - 1) * from_row), Float{});
    }
    store(stack.column(z, column) - FdkStack::pad + x, value);
  }
};

}  // namespace isocenter::detail
