#include "dicom_seg_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\\', begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace

/// Labels 1, 2, ... as "labels.names" lists them.
std::vector<Segment> DicomSegSinkOperator::describe_segments(const Payload& input) const {
  const std::vector<std::string> names = split(input.text("labels.names"));
  const auto colours = input.numbers("labels.colours");
  if (names.size() < 2)
    throw Failure(ErrorCode::bad_data,
                  "the segmentation has no attribute labels.names, so that its labels mean nothing",
                  "set it to the labels' names, joined by backslashes, the background first");
  if (names.size() > 256)
    throw Failure(ErrorCode::unsupported,
                  "the segmentation has " + std::to_string(names.size()) + " names for 8-bit labels",
                  "use at most 255 labels");
  std::vector<Segment> segments;
  for (std::size_t i = 1; i < names.size(); ++i) {
    Segment s;
    s.label = static_cast<int>(i);
    s.name = names[i];
    require_short("labels.names", s.name, 64);
    if (3 * i + 2 < colours.size()) s.colour = {colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]};
    find_segment_codes(s.name, s);
    segments.push_back(std::move(s));
  }
  apply_segment_codes(params.codes, segments);
  for (const Segment& s : segments)
    if (s.type.value.empty())
      throw Failure(ErrorCode::invalid_argument,
                    "no coded concept is known for label " + std::to_string(s.label) + ", '" + s.name +
                        "', and DICOM Segmentations need one",
                    "add it to the parameter codes: " + s.name + " = category / type, each value^scheme^meaning");
  return segments;
}

void DicomSegSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  planned_ = dense_tensor(input, "labels");
  if (std::string_view(planned_.axes) != "zyx" || planned_.type() != DType::uint8)
    throw Failure(ErrorCode::unsupported,
                  std::string("the segmentation has the axes '") + planned_.axes +
                      "': a SEG file holds one 3-D label map (zyx, uint8)",
                  "give one time point at a time");
  extent(planned_, 'x', "Columns (0028,0011)", 65535);
  extent(planned_, 'y', "Rows (0028,0010)", 65535);
  extent(planned_, 'z', "the number of slices", 99999);
  source_ = read_metadata(input);
  require_short("algorithm_name", params.algorithm_name, 64);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::segmentation, input);
  segments_ = describe_segments(input);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomSegSinkOperator::run(const RunContext& run) {
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
  write_segmentation(numbered_path(params.path, run.sequence()), segmentation, source_, description_);
}

}  // namespace isocenter::detail::dicom
