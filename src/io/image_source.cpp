#include "image_source.hpp"

#include "planned_reader.hpp"

namespace isocenter::detail::io {
namespace {

bool is_png(const std::string& path) { return path.size() > 4 && (path.ends_with(".png") || path.ends_with(".PNG")); }

}  // namespace

void ImageSourceOperator::plan(PlanContext& plan) {
  if (is_png(params.path)) {
    plan_png(plan);
  } else {
    reader_ = plan_reader(plan, params.path, "voxels", DType::float32);
  }
  plan.output("output").set_text("unit", params.unit);
}

void ImageSourceOperator::plan_png(PlanContext& plan) {
  png_ = read_png_info(params.path);
  if (png_.layout == PngLayout::rgb8)
    throw Failure(ErrorCode::unsupported,
                  "'" + params.path + "' is a picture in colour, and a Volume holds one value a pixel",
                  "save it in grey");
  Geometry geometry;
  if (png_.pixel_width_mm > 0) {
    geometry.spacing_mm[0] = png_.pixel_width_mm;
    geometry.spacing_mm[1] = png_.pixel_height_mm;
  } else {
    plan.warn("'" + params.path + "' does not state its pixel size (chunk pHYs); 1 mm is taken",
              "store it, or use a format with a geometry");
  }
  plan.output("output").set_tensor("voxels", tensor(DType::float32, "zyx", {1, png_.height, png_.width}));
  plan.output("output").set_geometry(geometry);
  plan.fact("file", params.path);
  plan.items(1);
  pixels_.resize(static_cast<std::size_t>(png_.row_bytes() * png_.height));
  plan.declare_host_memory(3 * pixels_.size());
}

void ImageSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const std::span<float> out = run.output("output").tensor("voxels").span<float>();
  if (reader_ != nullptr)
    return reader_->read(out, params.non_finite == NonFiniteVoxels::zero ? NonFinite::zero : NonFinite::refuse,
                         progress_of(run));
  read_png(params.path, png_, pixels_);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (png_.layout == PngLayout::grey8) {
      out[i] = static_cast<float>(std::to_integer<int>(pixels_[i]));
    } else {
      std::uint16_t value = 0;
      std::memcpy(&value, &pixels_[2 * i], sizeof value);
      out[i] = static_cast<float>(value);
    }
  }
}

}  // namespace isocenter::detail::io
