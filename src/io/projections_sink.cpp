#include "projections_sink.hpp"

#include "core/dense_input.hpp"
#include "recon/geometry_file.hpp"
#include "recon/view_blocks.hpp"
#include "staged_file.hpp"

namespace isocenter::detail::io {
namespace {

/// The detector's coordinates have their (0, 0) at its centre.
DetectorSampling sampling_of(const View& view, const TensorView& t) {
  const double u = length(view.u_step_mm), v = length(view.v_step_mm);
  return {-0.5 * static_cast<double>(t.extent('u') - 1) * u, -0.5 * static_cast<double>(t.extent('v') - 1) * v, u, v};
}

}  // namespace

void ProjectionsSinkOperator::plan(PlanContext& plan) {
  path_ = NumberedPath(params.path);
  geometry_path_ = NumberedPath(params.geometry);
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "views");
  if (std::string_view(planned_.axes) != "nvu" || planned_.type() != DType::float32)
    throw Failure(ErrorCode::bad_data,
                  std::string("the projections have the axes '") + planned_.axes + "', and nvu of float32 is needed",
                  "give projections as Projections::describe makes them");
  require_whole_scan(input, planned_.extent('n'));
  const std::span<const View> views = views_of(input);
  if (params.geometry.ends_with(".xml"))
    format_ = GeometryFormat::rtk;
  else if (params.geometry.ends_with(".txt"))
    format_ = GeometryFormat::matrices;
  else if (params.geometry.ends_with(".csv"))
    format_ = GeometryFormat::gantry_table;
  else
    throw Failure(ErrorCode::unsupported,
                  "geometry = '" + params.geometry + "' has an ending that stands for no format",
                  "use .xml (RTK), .txt (3x4 matrices) or .csv (gantry angles)");
  geometry_text(input);

  const DetectorSampling s = sampling_of(views[0], planned_);
  image_.type = VoxelType::float32;
  image_.size = {planned_.extent('u'), planned_.extent('v'), planned_.extent('n'), 1};
  image_.geometry = Geometry({s.step_u_mm, s.step_v_mm, 1.0}, {s.first_u_mm, s.first_v_mm, 0.0});
  options_.stored = VoxelType::float32;
  options_.compress = params.compress;
  require_storable(path_.at(0), image_);
  if (params.compress && image_format_of(path_.at(0)) == ImageFormat::nifti)
    throw Failure(ErrorCode::invalid_argument, "compress = true has no meaning for path = '" + params.path + "'",
                  "NIfTI is compressed by its name: write .nii.gz, and leave compress at false");
  require_writable(path_.at(0));
  require_writable(geometry_path_.at(0));
  plan.declare_host_memory(block_sink_bytes(plan.launcher()));
  plan.fact("file", params.path);
  plan.fact("geometry", params.geometry);
}

std::string ProjectionsSinkOperator::geometry_text(const Payload& projections) const {
  ScanGeometry scan;
  const std::span<const View> views = views_of(projections);
  scan.views.assign(views.begin(), views.end());
  scan.beam = beam_of(projections);
  scan.detector = detector_of(projections);
  const DetectorSampling sampling = sampling_of(views[0], planned_);
  switch (format_) {
    case GeometryFormat::rtk:
      return rtk_geometry_text(scan, sampling);
    case GeometryFormat::matrices:
      return matrices_text(scan);
    case GeometryFormat::gantry_table:
      return gantry_table_text(scan, sampling);
  }
  return {};
}

void ProjectionsSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  ImageView image = image_;
  image.voxels = planned_tensor(input, "views", planned_).data;
  write_image(path_.at_only(run.sequence(), "item"), image, options_, run.launcher(), [&run](double part) {
    run.check_cancelled();
    run.progress(part);
  });
  StagedFile file(geometry_path_.at_only(run.sequence(), "item"));
  file.write(geometry_text(input));
  file.commit();
}

}  // namespace isocenter::detail::io
