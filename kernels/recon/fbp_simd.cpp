#include "recon/fbp_simd.hpp"

namespace isocenter::detail {

const FbpVariant* fbp_variant_of_this_processor() {
  const FbpVariant* best = fbp_variant_avx512();
  return best != nullptr ? best : fbp_variant_avx2();
}

void fbp_back_project_by(const Launcher& launcher, const FbpVariant& variant, const FbpBackProject& job) {
  if (job.stack.column_stride == 1) {
    const std::int64_t down = (job.ny + variant.strip_rows - 1) / variant.strip_rows;
    return parallel_for(launcher, down * job.stack.slices, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t s = begin; s < end; ++s)
        variant.strip(job, static_cast<int>(s % down) * variant.strip_rows, static_cast<int>(s / down));
    });
  }
  const std::int64_t across = (job.nx + variant.tile_x - 1) / variant.tile_x;
  const std::int64_t down = (job.ny + variant.tile_y - 1) / variant.tile_y;
  parallel_for(launcher, across * down, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t)
      variant.tile(job, static_cast<int>(t % across) * variant.tile_x, static_cast<int>(t / across) * variant.tile_y);
  });
}

}  // namespace isocenter::detail
