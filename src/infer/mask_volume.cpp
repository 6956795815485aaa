#include "infer/mask_volume.hpp"

#include <algorithm>
#include <cmath>

#include "core/launcher.hpp"
#include "volume/parts.hpp"

namespace isocenter::infer {
namespace {

using isocenter::detail::GridShape;

std::string extents(const GridShape& s) {
  return std::to_string(s.nx) + " x " + std::to_string(s.ny) + " x " + std::to_string(s.nz) + " x " +
         std::to_string(s.nt);
}

/// The largest distance between the corners of two grids of the same extents.
double distance_mm(const GridShape& a, const GridShape& b) {
  double apart = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double i = corner & 1 ? a.nx - 1 : 0, j = corner & 2 ? a.ny - 1 : 0, k = corner & 4 ? a.nz - 1 : 0;
    const auto p = a.geometry.position_mm(i, j, k), q = b.geometry.position_mm(i, j, k);
    apart = std::max(apart, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return apart;
}

void check_same_grid(const GridShape& volume, const GridShape& mask) {
  const std::string fix = "segment the volume that is masked, or resample one onto the other's grid";
  if (volume.nx != mask.nx || volume.ny != mask.ny || volume.nz != mask.nz || (mask.nt != 1 && mask.nt != volume.nt))
    throw Failure(ErrorCode::bad_data,
                  "the mask has " + extents(mask) + " voxels (x, y, z, t) and the volume " + extents(volume), fix);
  const auto& spacing = volume.geometry.spacing_mm;
  const double apart = distance_mm(volume, mask);
  if (apart > 0.1 * std::min({spacing[0], spacing[1], spacing[2]}))
    throw Failure(ErrorCode::bad_data,
                  "the mask lies " + isocenter::detail::to_parameter_text(apart) + " mm from the volume", fix);
}

}  // namespace

void MaskVolumeOperator::plan(PlanContext& plan) {
  shape_ = isocenter::detail::grid_shape(plan.input("input"), "input", "voxels", DType::float32);
  mask_shape_ = isocenter::detail::grid_shape(plan.input("mask"), "mask", "labels", DType::uint8);
  check_same_grid(shape_, mask_shape_);
  for (const double label : params.labels) {
    if (label != std::floor(label))
      throw Failure(ErrorCode::invalid_argument,
                    "labels holds " + isocenter::detail::to_parameter_text(label) + ", which is no label",
                    "labels are whole numbers from 1 to 255");
    kept_[static_cast<std::size_t>(label)] = 1;
  }
  if (params.labels.empty()) std::fill(kept_.begin() + 1, kept_.end(), std::uint8_t{1});
  if (params.largest_component) {
    if (shape_.frame_voxels() > INT32_MAX - 1)
      throw Failure(ErrorCode::unsupported,
                    "largest_component = true is there for up to 2147483646 voxels, and the volume " +
                        std::string("has ") + extents(shape_),
                    "leave it out, or resample the volume");
    plan.scratch(static_cast<std::uint64_t>(shape_.frame_voxels()) * (sizeof(std::int32_t) + 1));
    limits_ = plan.allocate<unsigned long long>(256, "sizes of parts");
  }
  plan.output("output").like(plan.input("input"));
}

void MaskVolumeOperator::run(const RunContext& run) {
  const float* in = run.input("input").tensor("voxels").as<const float>();
  const auto* mask = run.input("mask").tensor("labels").as<const std::uint8_t>();
  auto* out = run.output("output").tensor("voxels").as<float>();
  const std::int64_t count = shape_.frame_voxels();
  auto* work = run.scratch<std::int32_t>();
  const auto outside = static_cast<float>(params.outside);
  for (int t = 0; t < shape_.nt; ++t) {
    run.check_cancelled();
    const std::uint8_t* labels = mask + (mask_shape_.nt == 1 ? 0 : t * count);
    const std::uint8_t* keep = kept_.data();
    std::array<std::uint8_t, 2> of_component = {0, 1};
    if (params.largest_component) {
      auto* part = reinterpret_cast<std::uint8_t*>(work + count);
      for (std::int64_t i = 0; i < count; ++i) part[i] = kept_[labels[i]];
      isocenter::detail::keep_parts(isocenter::detail::launcher_of(run),
                                    {shape_.nx, shape_.ny, shape_.nz, part, isocenter::detail::PartRule::any_label},
                                    work, 6, 1, 1, limits_, part);
      labels = part;
      keep = of_component.data();
    }
    run.parallel_for(count, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        out[t * count + i] = keep[labels[i]] != 0 ? in[t * count + i] : outside;
    });
    run.progress(static_cast<double>(t + 1) / shape_.nt);
  }
}

}  // namespace isocenter::infer
