#include "dicom_detections_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {

void DicomDetectionsSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  const auto dimensions = input.numbers("detections.dimensions");
  if (input.text("detections.names").empty() || dimensions.size() != 1)
    throw Failure(ErrorCode::bad_data, "the segmentation has no attributes detections.names and detections.dimensions",
                  "put the node detections before this one");
  planar_ = dimensions[0] == 2;
  source_ = read_metadata(input);
  if (source_.frame_of_reference_uid.empty())
    throw Failure(ErrorCode::unsupported,
                  "the boxes' volume has no FrameOfReferenceUID (0020,0052), in which a report could place them",
                  "read the volume with dicom_series_source");
  classes_ = segments_of(input, params.codes);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::none, input);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomDetectionsSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const auto boxes = boxes_of(input.numbers("detections.boxes"), static_cast<int>(classes_.size()));
  write_detections(numbered_path(params.path, run.sequence()), {classes_, boxes, planar_}, source_, description_);
}

}  // namespace isocenter::detail::dicom
