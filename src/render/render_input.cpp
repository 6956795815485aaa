#include "render/render_input.hpp"

#include <algorithm>
#include <cmath>

#include "render/camera_path.hpp"

namespace isocenter::detail {
namespace {

std::string extents(const GridShape& s) {
  return std::to_string(s.nx) + " x " + std::to_string(s.ny) + " x " + std::to_string(s.nz);
}

}  // namespace

GridShape render_shape(const Payload& payload, const char* port, const char* tensor_name, DType type) {
  GridShape shape = grid_shape(payload, port, tensor_name, type);
  check_directions(shape.geometry, port);
  if (shape.frame_voxels() > (std::int64_t{1} << 31) - 1)
    throw Failure(ErrorCode::unsupported,
                  std::string("input '") + port + "' has " + extents(shape) +
                      " voxels a frame, and at most 2^31 - 1 "
                      "can be shown",
                  "resample it with multi_planar_reformat, or crop it");
  return shape;
}

void check_same_grid(const GridShape& volume, const GridShape& labels) {
  const std::string fix = "segment the volume that is shown, or resample the labels onto its grid";
  if (volume.nx != labels.nx || volume.ny != labels.ny || volume.nz != labels.nz)
    throw Failure(ErrorCode::bad_data,
                  "the segmentation has " + extents(labels) + " voxels and the volume " + extents(volume), fix);
  if (labels.nt != 1 && labels.nt != volume.nt)
    throw Failure(ErrorCode::bad_data,
                  "the segmentation has " + std::to_string(labels.nt) + " time frames and the volume " +
                      std::to_string(volume.nt),
                  "give one time frame, or as many as the volume has");
  const double corner[] = {static_cast<double>(volume.nx - 1), static_cast<double>(volume.ny - 1),
                           static_cast<double>(volume.nz - 1)};
  double apart = 0;
  for (int end = 0; end < 2; ++end) {
    const auto a = volume.geometry.position_mm(end * corner[0], end * corner[1], end * corner[2]);
    const auto b = labels.geometry.position_mm(end * corner[0], end * corner[1], end * corner[2]);
    for (std::size_t i = 0; i < 3; ++i) apart = std::max(apart, std::abs(a[i] - b[i]));
  }
  const double smallest =
      std::min({volume.geometry.spacing_mm[0], volume.geometry.spacing_mm[1], volume.geometry.spacing_mm[2]});
  if (apart > 0.1 * smallest)
    throw Failure(ErrorCode::bad_data,
                  "the segmentation lies " + to_parameter_text(static_cast<float>(apart)) + " mm from the volume", fix);
}

void describe_frames(PayloadRef output, const Payload& input, std::int64_t frames, std::int64_t height,
                     std::int64_t width, double frames_per_second) {
  output.set_tensor("pixels", tensor(DType::uint8, "nyxc", {frames, height, width, 3}));
  Geometry timing;
  timing.time_step_s = 1.0 / frames_per_second;
  output.set_geometry(timing);
  output.inherit_attributes(input);
}

GreyWindow grey_window(double centre, double width) {
  return {static_cast<float>(centre - 0.5 * width), static_cast<float>(1.0 / width)};
}

}  // namespace isocenter::detail
