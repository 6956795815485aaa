#include "dicom_series_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "write_series.hpp"

namespace isocenter::detail::dicom {

void DicomSeriesSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "voxels");
  if (std::string_view(planned_.axes) != "zyx" || planned_.type() != DType::float32)
    throw Failure(
        ErrorCode::unsupported,
        std::string("the volume has the axes '") + planned_.axes + "': a series holds one 3-D volume (zyx, float32)",
        fix_for_slices(planned_));
  extent(planned_, 'x', "Columns (0028,0011)", 65535);
  extent(planned_, 'y', "Rows (0028,0010)", 65535);
  extent(planned_, 'z', "the number of slices", 99999);
  source_ = read_metadata(input);
  description_ = describe_output({params.series_description, params.derivation_description, params.manufacturer,
                                  params.model_name, params.device_serial_number, params.series_number},
                                 params.derivation, input);
  require_writable(source_, input.text("unit"));
  if (params.form == DicomSeriesForm::enhanced) {
    VolumeToWrite described;
    described.geometry = input.geometry();
    described.unit = input.text("unit");
    described.acquisition = params.acquisition;
    require_enhanced(source_, described);
  } else if (!params.acquisition.empty()) {
    throw Failure(ErrorCode::invalid_argument,
                  "acquisition = '" + params.acquisition + "' is for form = enhanced alone",
                  "leave acquisition away, or set form = enhanced");
  }
  if (params.form == DicomSeriesForm::legacy_converted)
    require_legacy_converted(source_, input.geometry(), static_cast<int>(planned_.extent('z')));
  require_free_folder(numbered_path(params.path, 0));
  const auto slice = static_cast<std::uint64_t>(planned_.extent('x') * planned_.extent('y'));
  plan.declare_host_memory(4 * slice * static_cast<std::uint64_t>(std::max(1, plan.launcher().concurrency)));
  plan.fact("folder", params.path);
}

void DicomSeriesSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const TensorView voxels = planned_tensor(input, "voxels", planned_);
  VolumeToWrite volume;
  volume.voxels = voxels.span<float>();
  volume.nx = static_cast<int>(voxels.extent('x'));
  volume.ny = static_cast<int>(voxels.extent('y'));
  volume.nz = static_cast<int>(voxels.extent('z'));
  volume.geometry = input.geometry();
  volume.unit = input.text("unit");
  volume.rescale_slope = params.rescale_slope;
  volume.acquisition = params.acquisition;
  volume.compression = static_cast<LosslessCompression>(params.compression);
  const auto write = params.form == DicomSeriesForm::enhanced           ? write_enhanced
                     : params.form == DicomSeriesForm::legacy_converted ? write_legacy_converted
                                                                        : write_series;
  write(numbered_path(params.path, run.sequence()), volume, source_, description_, Workers(run.launcher()),
        [&](std::int64_t done, std::int64_t total) {
          run.progress(static_cast<double>(done) / static_cast<double>(total));
          return !run.cancelled();
        });
}

}  // namespace isocenter::detail::dicom
