#include "dicom_seg_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {

/// Channel c of a volume is label c; a volume without channels is label 1.
void DicomSegSinkOperator::plan_probabilities(const Payload& input) {
  planned_ = dense_tensor(input, "voxels");
  const std::string_view axes = planned_.axes;
  const auto names = static_cast<std::int64_t>(segments_.size()) + 1;
  if ((axes != "zyx" && axes != "czyx") || planned_.type() != DType::float32)
    throw Failure(ErrorCode::unsupported,
                  "the volume has the axes '" + std::string(axes) + "': probabilities are zyx or czyx, float32",
                  fix_for_slices(planned_));
  if (axes == "czyx" ? planned_.extent('c') != names : names != 2)
    throw Failure(ErrorCode::bad_data,
                  "labels.names has " + std::to_string(names) + " names for " +
                      (axes == "czyx" ? std::to_string(planned_.extent('c')) + " channels" : "one probability"),
                  "name the background and each channel after it");
  for (Segment& s : segments_) s.label = axes == "czyx" ? s.label : 0;
}

void DicomSegSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  fractional_ = input.kind() == Volume::kind_value;
  segments_ = segments_of(input, params.codes);
  if (fractional_)
    plan_probabilities(input);
  else
    planned_ = planned_slices(input, "labels", DType::uint8, "a SEG file holds one 3-D label map (zyx, uint8)");
  if (!fractional_ && params.compression != DicomLosslessCompression::none)
    throw Failure(ErrorCode::unsupported, "compression is set, and a binary segmentation has one bit a voxel",
                  "leave compression away, or give probabilities");
  extent(planned_, 'x', "Columns (0028,0011)", 65535);
  extent(planned_, 'y', "Rows (0028,0010)", 65535);
  extent(planned_, 'z', "the number of slices", 99999);
  source_ = read_metadata(input);
  require_short("algorithm_name", params.algorithm_name, 64);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::segmentation, input);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomSegSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const TensorView tensor = planned_tensor(input, fractional_ ? "voxels" : "labels", planned_);
  SegmentationToWrite segmentation;
  if (fractional_)
    segmentation.probabilities = tensor.span<float>();
  else
    segmentation.labels = tensor.span<std::uint8_t>();
  segmentation.nx = static_cast<int>(tensor.extent('x'));
  segmentation.ny = static_cast<int>(tensor.extent('y'));
  segmentation.nz = static_cast<int>(tensor.extent('z'));
  segmentation.geometry = input.geometry();
  segmentation.segments = segments_;
  segmentation.algorithm_name = params.algorithm_name.empty() ? "Isocenter" : params.algorithm_name;
  segmentation.compression = static_cast<LosslessCompression>(params.compression);
  write_segmentation(numbered_path(params.path, run.sequence()), segmentation, source_, description_);
}

}  // namespace isocenter::detail::dicom
