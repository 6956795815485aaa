#include "dicom_secondary_capture_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"

namespace isocenter::detail::dicom {

void DicomSecondaryCaptureSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "pixels");
  if (std::string_view(planned_.axes) != "nyxc" || planned_.type() != DType::uint8 || planned_.extent('c') != 3)
    throw Failure(ErrorCode::bad_data,
                  std::string("the frames have the axes '") + planned_.axes + "' with " +
                      std::to_string(planned_.extent('c')) + " channels, and nyxc of uint8 with 3 (sRGB) is needed",
                  "give frames in colour, as Frames::describe makes them");
  if (planned_.extent('n') < 1)
    throw Failure(ErrorCode::bad_data, "the input has no frames (n = 0)",
                  "check the node that makes them: at least one frame is needed");
  format_.width = extent(planned_, 'x', "Columns (0028,0011)", 65535);
  format_.height = extent(planned_, 'y', "Rows (0028,0010)", 65535);
  format_.frame_time_ms =
      1000 * (params.frames_per_second > 0 ? 1 / params.frames_per_second : input.geometry().time_step_s);
  format_.compression = static_cast<FrameCompression>(params.compression);
  format_.jpeg_quality = static_cast<int>(params.jpeg_quality);
  capture_ = std::make_unique<SecondaryCapture>(format_);
  source_ = read_metadata(input);
  description_ = describe_output({params.series_description, params.derivation_description, params.manufacturer,
                                  params.model_name, params.device_serial_number, params.series_number},
                                 params.derivation, input);
  require_file_path(params.path);
  const auto frame = static_cast<std::uint64_t>(planned_.extent('x') * planned_.extent('y') * 3);
  // All frames of an item as they are written (JPEG: a fifth at most), and DCMTK's copies of one frame in each thread.
  const std::uint64_t kept = params.compression == DicomFrameCompression::jpeg ? frame / 5 : frame;
  plan.declare_host_memory(kept * static_cast<std::uint64_t>(planned_.extent('n')) +
                           4 * frame * static_cast<std::uint64_t>(std::max(1, plan.launcher().concurrency)));
  plan.fact("file", params.path);
}

void DicomSecondaryCaptureSinkOperator::run(const RunContext& run) {
  if (given_up_)
    throw Failure(ErrorCode::invalid_state, "'" + params.path + "' was given up after an earlier error",
                  "see the first error of this node");
  try {
    const TensorView pixels = planned_tensor(run.input("input"), "pixels", planned_);
    capture_->add(pixels.span<std::uint8_t>(), Workers(run.launcher()), [&](std::int64_t done, std::int64_t total) {
      run.progress(static_cast<double>(done) / static_cast<double>(total));
      return !run.cancelled();
    });
  } catch (...) {
    given_up_ = true;
    capture_.reset();
    throw;
  }
}

void DicomSecondaryCaptureSinkOperator::finish(bool completed) {
  const std::unique_ptr<SecondaryCapture> capture = std::move(capture_);
  if (!completed || given_up_) return;
  if (capture->frame_count() == 0)
    throw Failure(ErrorCode::bad_data, "no frame came, so that '" + params.path + "' was not written",
                  "see the errors of the nodes before this one");
  capture->write(params.path, source_, description_);
}

}  // namespace isocenter::detail::dicom
