#include "dicom_report_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"
#include "write_parametric_map.hpp"

namespace isocenter::detail::dicom {

void DicomReportSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  planned_ = planned_slices(input, "labels", DType::uint8, "a report is made of one 3-D label map (zyx, uint8)");
  source_ = read_metadata(input);
  segments_ = segments_of(input, params.codes);
  if (input.numbers("measurements.values").size() != 6 * segments_.size())
    throw Failure(ErrorCode::bad_data, "the segmentation has no attribute measurements.values with six numbers a label",
                  "put the node segment_measurements before this one");
  unit_ = input.text("measurements.unit");
  if (unit_code(unit_).value.empty())
    throw Failure(ErrorCode::unsupported, "the unit '" + unit_ + "' of the measured volume has no UCUM code here",
                  "convert the volume to HU, Bq/ml, g/ml, 1/mm, mm, ms, s, %, 1 or a.u.");
  require_short("algorithm_name", params.algorithm_name, 64);
  require_short("segmentation_description", params.segmentation_description, 64);
  const SinkTexts texts{params.series_description,   "",
                        params.manufacturer,         params.model_name,
                        params.device_serial_number, params.series_number};
  description_ = describe_output(texts, DicomDerivation::segmentation, input);
  segmentation_description_ = description_;
  segmentation_description_.series_description = params.segmentation_description;
  segmentation_description_.series_number = static_cast<int>(params.segmentation_number);
  require_file_path(numbered_path(params.path, 0));
  require_file_path(numbered_path(params.segmentation_path, 0));
  if (params.path == params.segmentation_path)
    throw Failure(ErrorCode::invalid_argument, "path and segmentation_path are both '" + params.path + "'",
                  "name two files");
  plan.fact("file", params.path);
}

void DicomReportSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const TensorView labels = planned_tensor(input, "labels", planned_);
  SegmentationToWrite segmentation;
  segmentation.labels = labels.span<std::uint8_t>();
  segmentation.nx = static_cast<int>(labels.extent('x'));
  segmentation.ny = static_cast<int>(labels.extent('y'));
  segmentation.nz = static_cast<int>(labels.extent('z'));
  segmentation.geometry = input.geometry();
  segmentation.segments = segments_;
  segmentation.algorithm_name = params.algorithm_name.empty() ? "Isocenter" : params.algorithm_name;
  ReportToWrite report;
  const auto values = input.numbers("measurements.values");
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const double* v = values.data() + 6 * i;
    report.measurements.push_back({static_cast<std::int64_t>(v[0]), v[1], v[2], v[3], v[4], v[5]});
  }
  const WrittenObject written = write_segmentation(numbered_path(params.segmentation_path, run.sequence()),
                                                   segmentation, source_, segmentation_description_);
  report.segments = segments_;
  report.unit = unit_;
  report.segmentation_uid = written.sop_instance_uid;
  report.segmentation_series_uid = written.series_uid;
  report.study_uid = written.study_uid;
  write_report(numbered_path(params.path, run.sequence()), report, source_, description_);
}

}  // namespace isocenter::detail::dicom
