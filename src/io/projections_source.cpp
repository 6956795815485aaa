#include "projections_source.hpp"

#include "number_text.hpp"
#include "planned_reader.hpp"
#include "recon/geometry_file.hpp"

namespace isocenter::detail::io {
namespace {

DetectorSampling sampling_of(const ImageInfo& info) {
  if (info.has_time)
    throw Failure(ErrorCode::bad_data,
                  "'" + info.path.string() + "' has four axes, and a stack has columns, rows and views",
                  "write one stack for each time point");
  const Geometry& g = info.geometry;
  for (int k = 0; k < 9; ++k)
    if (std::abs(g.direction[k] - (k % 4 == 0 ? 1.0 : 0.0)) > 1e-6)
      throw Failure(ErrorCode::bad_data,
                    "'" + info.path.string() + "' has axes that are turned (direction[" + std::to_string(k) +
                        "] = " + number_text(g.direction[k]) + "), and a stack's columns and rows are the detector's",
                    "write it with the identity as direction, and the detector's turn into the geometry");
  return {g.origin_mm[0], g.origin_mm[1], g.spacing_mm[0], g.spacing_mm[1]};
}

}  // namespace

void ProjectionsSourceOperator::plan(PlanContext& plan) {
  const ImageInfo info = read_image_info(params.path);
  const GeometryFileOptions options{sampling_of(info), static_cast<MatrixSpace>(params.matrix_points),
                                    static_cast<MatrixTarget>(params.matrix_result)};
  const ScanGeometry scan = read_geometry_file(params.geometry, options);
  if (static_cast<std::int64_t>(scan.views.size()) != info.size[2])
    throw Failure(ErrorCode::bad_data,
                  "'" + params.path + "' has " + std::to_string(info.size[2]) + " projections, and '" +
                      params.geometry + "' has " + std::to_string(scan.views.size()) + " views",
                  "give the geometry of this stack, one view for each projection");
  for (const std::string& name : scan.ignored)
    plan.warn("'" + params.geometry + "' has " + name + ", which is not applied", "crop the projections");

  if (!info.remark.empty()) plan.warn("'" + params.path + "': " + info.remark, info.remedy);
  if (params.unit == "1" && info.slope == 1.0 && info.type != VoxelType::float32 && info.type != VoxelType::float64)
    plan.warn("'" + params.path + "' holds whole numbers (" + to_string(info.type) +
                  "), and its unit is 1: they are taken for line integrals",
              "set unit to counts where they are counts, and put line_integrals behind this node");

  PayloadRef output = plan.output("output");
  output.set_tensor("views", tensor(DType::float32, "nvu", {info.size[2], info.size[1], info.size[0]}));
  set_views(output, scan.views, scan.beam, scan.detector);
  output.set_text("unit", params.unit);
  if (params.mu_water_per_mm > 0.0) output.set_numbers("mu_water_per_mm", {&params.mu_water_per_mm, 1});
  plan.fact("file", params.path);
  plan.fact("geometry", params.geometry);
  plan.fact("geometry_format", scan.format);
  plan.items(1);
  reader_ = std::make_unique<VoxelReader>(info);
  plan.declare_host_memory(std::uint64_t{2} << 20);
}

void ProjectionsSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  reader_->read(run.output("output").tensor("views").span<float>(),
                params.non_finite == NonFiniteVoxels::zero ? NonFinite::zero : NonFinite::refuse, progress_of(run));
}

}  // namespace isocenter::detail::io
