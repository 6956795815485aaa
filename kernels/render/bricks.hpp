#pragma once
// Empty space: the volume in bricks of 8³ samples, the range of values in each, and how far the next brick is that
// shows anything. Bricks overlap by one voxel, so that every interpolated sample of a brick lies within its range.
#include "render/sampling.hpp"
#include "render/transfer_function.hpp"

namespace isocenter::detail {

constexpr int kBrick = 8;
ISOCENTER_HD constexpr int bricks_along(int voxels) { return voxels > 2 ? (voxels - 2) / kBrick + 1 : 1; }

/// Least and largest value of each brick. Launched over bricks_x × bricks_y × (bricks_z · frames).
struct BrickRangeKernel {
  static constexpr const char* name = "render/brick_range";
  const float* voxels;
  float* low;
  float* high;
  int nx, ny, nz;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int bx, int by, int bz) const {
    using Float = typename Lanes::Float;
    const int bricks_x = bricks_along(nx), bricks_y = bricks_along(ny), bricks_z = bricks_along(nz);
    const int frame = bz / bricks_z, slab = bz % bricks_z;
    const std::int64_t plane = static_cast<std::int64_t>(nx) * ny;
    const auto x_begin = Lanes::iota(bx) * kBrick;
    Float least = Float{} + 3e38F, most = Float{} - 3e38F;  // not the first voxel: comparisons then pass NaN over
    for (int k = 0; k <= kBrick; ++k) {
      const int z = min(slab * kBrick + k, nz - 1);
      for (int j = 0; j <= kBrick; ++j) {
        const int y = min(by * kBrick + j, ny - 1);
        const float* row =
            voxels + (static_cast<std::int64_t>(frame) * nz + z) * plane + static_cast<std::int64_t>(y) * nx;
        for (int i = 0; i <= kBrick; ++i) {
          const Float v = gather(row, clamp(x_begin + i, 0, nx - 1));
          least = min(v, least);  // in this order NaN loses
          most = max(v, most);
        }
      }
    }
    // Interpolation may round past the ends.
    const Float slack = max(max(most, 0.0F - most), max(least, 0.0F - least)) * 1e-6F;
    const std::int64_t at = (static_cast<std::int64_t>(bz) * bricks_y + by) * bricks_x + bx;
    store(low + at, least - slack);
    store(high + at, most + slack);
  }
};

/// What a brick shows: kEmptyBrick nothing, 0 something by its values, -1 also labels.
constexpr float kEmptyBrick = 1e6F;
struct BrickContentKernel {
  static constexpr const char* name = "render/brick_content";
  const float* low;
  const float* high;
  const std::uint8_t* labels;  ///< or null
  const float* label_table;    ///< see VolumeRenderKernel
  float* content;
  int nx, ny, nz;
  bool still_labels;  ///< one frame of labels for all time frames
  TransferFunction transfer;
  float slack;  ///< a value's entry in the table may be this far from it

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int bx, int by, int bz) const {
    using Float = typename Lanes::Float;
    const int bricks_x = bricks_along(nx), bricks_y = bricks_along(ny);
    const std::int64_t at = (static_cast<std::int64_t>(bz) * bricks_y + by) * bricks_x + bx;
    const Float most = transfer.largest_extinction(load(Lanes{}, low + at) - slack, load(Lanes{}, high + at) + slack);
    Float shows = select(most > 0.0F, most * 0.0F, most * 0.0F + kEmptyBrick);
    if (labels != nullptr) shows = select(labelled(Lanes{}, bx, by, bz) > 0.0F, shows * 0.0F - 1.0F, shows);
    store(content + at, shows);
  }

 private:
  /// The largest extinction of the labels in a brick.
  template <class Lanes>
  ISOCENTER_HD auto labelled(Lanes, int bx, int by, int bz) const {
    const int bricks_z = bricks_along(nz), frame = still_labels ? 0 : bz / bricks_z, slab = bz % bricks_z;
    const auto x_begin = Lanes::iota(bx) * kBrick;
    typename Lanes::Float most = {};
    for (int k = 0; k <= kBrick; ++k) {
      const int z = min(slab * kBrick + k, nz - 1);
      for (int j = 0; j <= kBrick; ++j) {
        const int y = min(by * kBrick + j, ny - 1);
        const std::uint8_t* row = labels + ((static_cast<std::int64_t>(frame) * nz + z) * ny + y) * nx;
        for (int i = 0; i <= kBrick; ++i) {
          const auto label = gather_byte(row, clamp(x_begin + i, 0, nx - 1));
          most = max(most, gather(label_table, label * 4 + 3));
        }
      }
    }
    return most;
  }
};

/// Chebyshev distance in bricks to the nearest brick that shows something, one axis at a time: after x, y and z every
/// value is max(|dx|, |dy|, |dz|) at its smallest. Values up to 0 stay.
struct BrickDistanceKernel {
  static constexpr const char* name = "render/brick_distance";
  static constexpr int reach = 8;  ///< farther bricks count as reach + 1 away
  const float* from;
  float* to;
  int bricks_x, bricks_y, bricks_z;
  int axis;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int bx, int by, int bz) const {
    using Float = typename Lanes::Float;
    const int slab = bz % bricks_z;
    const std::int64_t row = (static_cast<std::int64_t>(bz) * bricks_y + by) * bricks_x;
    const auto xs = Lanes::iota(bx);
    const Float own = load(Lanes{}, from + row + bx);
    Float nearest = min(own, Float{} + static_cast<float>(reach + 1));
    for (int k = -reach; k <= reach; ++k) {
      const float away = static_cast<float>(k < 0 ? -k : k);
      if (axis == 0) {
        const auto other = xs + k;
        const Float v = max(gather(from + row, clamp(other, 0, bricks_x - 1)), Float{} + away);
        nearest = select(both(other >= 0, other < bricks_x), min(nearest, v), nearest);
        continue;
      }
      const int position = axis == 1 ? by + k : slab + k;
      if (position < 0 || position >= (axis == 1 ? bricks_y : bricks_z)) continue;
      const std::int64_t pitch = axis == 1 ? bricks_x : static_cast<std::int64_t>(bricks_x) * bricks_y;
      nearest = min(nearest, max(load(Lanes{}, from + row + k * pitch + bx), Float{} + away));
    }
    store(to + row + bx, select(own <= 0.0F, own, nearest));
  }
};

/// mm until a ray at voxel coordinate p leaves the bricks within `around` bricks of brick b along one axis.
template <class Float, class Int>
ISOCENTER_HD Float until_out(Float p, Float direction, Int b, int bricks, Float around) {
  const Float low = (to_float(b) - around) * static_cast<float>(kBrick);
  const Float high = (to_float(b) + around + 1.0F) * static_cast<float>(kBrick);
  const Float to_low = select(low <= 0.0F, Float{} - 1e6F, low);
  const Float to_high = select(high >= static_cast<float>(bricks * kBrick), Float{} + 1e6F, high);
  const Float edge = select(direction > 0.0F, to_high, to_low);
  const Float speed = select(direction > 0.0F, max(direction, Float{} + 1e-9F), min(direction, Float{} - 1e-9F));
  return (edge - p) / speed;
}

/// The bricks of one frame as a ray sees them.
struct BrickGrid {
  const float* distance;
  int bricks_x, bricks_y, bricks_z;

  template <class Int>
  struct At {
    Int x, y, z, index;
  };
  /// The brick of a sample at clamped voxel coordinates.
  template <class Float>
  ISOCENTER_HD auto at(Float x, Float y, Float z) const {
    const auto bx = clamp(to_int(x * (1.0F / kBrick)), 0, bricks_x - 1);
    const auto by = clamp(to_int(y * (1.0F / kBrick)), 0, bricks_y - 1);
    const auto bz = clamp(to_int(z * (1.0F / kBrick)), 0, bricks_z - 1);
    using Int = decltype(to_int(x));
    return At<Int>{bx, by, bz, (bz * bricks_y + by) * bricks_x + bx};
  }
  /// How many samples of a ray, this one at (x, y, z) and the next ones, lie within `around` bricks of its brick: at
  /// least this one, and not those that rounding could put outside (a hundredth of a sample).
  template <class Int, class Float>
  ISOCENTER_HD Int samples_inside(const At<Int>& b, Float x, Float y, Float z, Float dx, Float dy, Float dz,
                                  Float around, Float per_mm) const {
    const Float out = min(min(until_out(x, dx, b.x, bricks_x, around), until_out(y, dy, b.y, bricks_y, around)),
                          until_out(z, dz, b.z, bricks_z, around));
    return to_int(clamp(out * per_mm - 0.01F, 0.0F, 1e6F)) + 1;
  }
};

}  // namespace isocenter::detail
