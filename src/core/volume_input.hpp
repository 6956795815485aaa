#pragma once
// What an operator on volumes asks of its input before it plans anything.
#include <isocenter/dense.hpp>
#include <isocenter/operator.hpp>
#include <limits>
#include <string>

namespace isocenter::detail {

/// The extents of a volume or segmentation, x fastest; nt = 1 where there is no time axis.
struct GridShape {
  int nx = 0, ny = 0, nz = 0, nt = 1;
  bool has_time = false;
  Geometry geometry;
  std::int64_t frame_voxels() const { return static_cast<std::int64_t>(nx) * ny * nz; }
};

/// The shape of the tensor `name` of an input; throws when it is not dense, not of the type, or not "zyx" or "tzyx".
inline GridShape grid_shape(const Payload& payload, const char* port, const char* name, DType type) {
  constexpr const char* dtype_names[] = {"",      "uint8",   "int8",    "uint16",   "int16",
                                         "int32", "float32", "float64", "complex64"};
  const TensorView t = payload.tensor(name);
  const std::string where = std::string("input '") + port + "'";
  const std::string axes = t.axes;
  if (axes != "zyx" && axes != "tzyx")
    throw Failure(ErrorCode::bad_data, where + " has the axes '" + axes + "', and 'zyx' or 'tzyx' is needed",
                  "take one channel by the node select_channel, and order the axes with x fastest");
  if (t.type() != type)
    throw Failure(
        ErrorCode::bad_data,
        where + " holds " + dtype_names[t.dtype] + ", and " + dtype_names[static_cast<int>(type)] + " is needed",
        "convert it when it is read");
  for (int i = t.rank - 1; i >= 0; --i)
    if (t.shape[i] < 1 || t.shape[i] > 65535)
      throw Failure(ErrorCode::bad_data,
                    where + " has the extent " + std::to_string(t.shape[i]) + " along '" + t.axes[i] +
                        "', and 1 to 65535 are allowed",
                    "check how the volume was made");
  if (t.extent('t') * t.extent('z') > std::numeric_limits<int>::max())  // kernels count the slices of all frames
    throw Failure(ErrorCode::bad_data,
                  where + " has " + std::to_string(t.extent('t')) + " frames of " + std::to_string(t.extent('z')) +
                      " slices, and 2147483647 slices in all are allowed",
                  "give fewer frames at a time");
  if (!is_dense(t))
    throw Failure(ErrorCode::bad_data, where + " is not dense", "copy it into a dense tensor, x fastest");
  GridShape shape;
  shape.nx = static_cast<int>(t.extent('x'));
  shape.ny = static_cast<int>(t.extent('y'));
  shape.nz = static_cast<int>(t.extent('z'));
  shape.nt = static_cast<int>(t.extent('t'));
  shape.has_time = axes == "tzyx";
  shape.geometry = payload.geometry();
  return shape;
}

}  // namespace isocenter::detail
