#include "dicom_structure_set_sink.hpp"

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {

void DicomStructureSetSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  planned_ = planned_slices(input, "labels", DType::uint8, "a structure set is made of one 3-D label map (zyx, uint8)");
  source_ = read_metadata(input);
  require_short("structure_set_label", params.structure_set_label, 16);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::segmentation, input);
  segments_ = segments_of(input, params.codes);
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomStructureSetSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const TensorView labels = planned_tensor(input, "labels", planned_);
  StructureSetToWrite structures;
  structures.labels = labels.span<std::uint8_t>();
  structures.nx = static_cast<int>(labels.extent('x'));
  structures.ny = static_cast<int>(labels.extent('y'));
  structures.nz = static_cast<int>(labels.extent('z'));
  structures.geometry = input.geometry();
  structures.segments = segments_;
  structures.structure_set_label = params.structure_set_label.empty() ? "Isocenter" : params.structure_set_label;
  write_structure_set(numbered_path(params.path, run.sequence()), structures, source_, description_);
}

}  // namespace isocenter::detail::dicom
