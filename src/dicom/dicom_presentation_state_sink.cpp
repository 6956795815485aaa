#include "dicom_presentation_state_sink.hpp"

#include <algorithm>

#include "operator_support.hpp"
#include "output_file.hpp"

namespace isocenter::detail::dicom {
namespace {

/// "12.5 -80 30 = nodule; ...".
std::vector<Annotation> parse_annotations(const std::string& text) {
  std::vector<Annotation> all;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    begin = end + 1;
    if (entry.find_first_not_of(" \n\t") == std::string::npos) continue;
    Annotation a;
    int used = -1;
    if (std::sscanf(entry.c_str(), " %lf %lf %lf = %n", &a.position.x, &a.position.y, &a.position.z, &used) != 3 ||
        used < 0 || static_cast<std::size_t>(used) >= entry.size())
      throw Failure(ErrorCode::invalid_argument, "annotations = '" + entry + "' does not have the form x y z = text",
                    "write for example 12.5 -80 30 = nodule");
    a.text = entry.substr(static_cast<std::size_t>(used));
    require_short("annotations", a.text, 1024);
    all.push_back(a);
  }
  return all;
}

void require_label(const std::string& label) {
  const bool fits = !label.empty() && label.size() <= 16 && std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '_';
  });
  if (!fits)
    throw Failure(ErrorCode::invalid_argument, "label = '" + label + "' is no ContentLabel (0070,0080)",
                  "use 1 to 16 upper case letters, digits, spaces and underscores");
}

}  // namespace

void DicomPresentationStateSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  const TensorView voxels =
      planned_slices(input, "voxels", DType::float32, "a presentation state shows one 3-D volume (zyx, float32)");
  source_ = read_metadata(input);
  require_label(params.label);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::none, input);
  presentation_.columns = static_cast<int>(voxels.extent('x'));
  presentation_.rows = static_cast<int>(voxels.extent('y'));
  presentation_.geometry = input.geometry();
  presentation_.window_centre = params.window_centre;
  presentation_.window_width = params.window_width;
  presentation_.label = params.label;
  presentation_.annotations = parse_annotations(params.annotations);
  require_shows(presentation_, static_cast<int>(voxels.extent('z')), source_);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomPresentationStateSinkOperator::run(const RunContext& run) {
  write_presentation_state(numbered_path(params.path, run.sequence()), presentation_, source_, description_);
}

}  // namespace isocenter::detail::dicom
