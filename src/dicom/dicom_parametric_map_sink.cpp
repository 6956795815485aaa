#include "dicom_parametric_map_sink.hpp"

#include <algorithm>

#include "operator_support.hpp"
#include "output_file.hpp"
#include "segment_codes.hpp"

namespace isocenter::detail::dicom {

namespace {

void require_no_channels(const Payload& input) {
  const TensorView voxels = dense_tensor(input, "voxels");
  if (std::string_view(voxels.axes) != "czyx") return;
  const std::int64_t n = voxels.extent('c');
  throw Failure(ErrorCode::invalid_argument,
                "the volume has " + std::to_string(n) + (n == 1 ? " channel" : " channels") +
                    " (axes czyx), and channel, of which a parametric map holds one, is not set",
                "set channel to 0" + (n == 1 ? "" : " ... " + std::to_string(n - 1)) +
                    "; probabilities of all channels go into one file by dicom_seg_sink");
}

}  // namespace

void DicomParametricMapSinkOperator::plan_channel(const Payload& input) {
  if (params.channel < 0) {
    require_no_channels(input);
    planned_ = planned_slices(input, "voxels", DType::float32,
                              "a parametric map holds one 3-D volume (zyx, float32), or a channel of one");
    return;
  }
  planned_ = dense_tensor(input, "voxels");
  const std::string_view axes = planned_.axes;
  const std::string channel = "channel = " + std::to_string(params.channel);
  if (axes != "czyx" || planned_.type() != DType::float32)
    throw Failure(ErrorCode::invalid_argument,
                  channel + ", and the volume has no channels of float32: its axes are '" + std::string(axes) + "'",
                  "leave channel away for a volume zyx, or give one czyx");
  if (params.channel >= planned_.extent('c'))
    throw Failure(ErrorCode::invalid_argument,
                  channel + " of a volume with " + std::to_string(planned_.extent('c')) + " channels",
                  "set channel to 0 ... " + std::to_string(planned_.extent('c') - 1));
  extent(planned_, 'x', "Columns (0028,0011)", 65535);
  extent(planned_, 'y', "Rows (0028,0010)", 65535);
  extent(planned_, 'z', "the number of slices", 99999);
}

void DicomParametricMapSinkOperator::plan(PlanContext& plan) {
  const PayloadRef input = plan.input("input");
  plan_channel(input);
  source_ = read_metadata(input);
  require_short("label", params.label, 16);
  description_ = describe_output({params.series_description, "", params.manufacturer, params.model_name,
                                  params.device_serial_number, params.series_number},
                                 DicomDerivation::none, input);
  const std::string unit = input.text("unit");
  unit_ = params.unit_code.empty() ? unit_code(unit) : parse_code(params.unit_code, "unit_code");
  if (unit_.value.empty())
    throw Failure(ErrorCode::unsupported, "the volume's unit '" + unit + "' has no UCUM code here",
                  "set unit_code, for example ms^UCUM^ms");
  if (!params.quantity.empty()) quantity_ = parse_code(params.quantity, "quantity");
  require_file_path(numbered_path(params.path, 0));
  plan.fact("file", params.path);
}

void DicomParametricMapSinkOperator::run(const RunContext& run) {
  const PayloadRef input = run.input("input");
  const TensorView voxels = planned_tensor(input, "voxels", planned_);
  MapToWrite map;
  map.nx = static_cast<int>(voxels.extent('x'));
  map.ny = static_cast<int>(voxels.extent('y'));
  map.nz = static_cast<int>(voxels.extent('z'));
  const auto count = static_cast<std::size_t>(voxels.count() / voxels.extent('c'));
  map.voxels = voxels.span<float>().subspan(static_cast<std::size_t>(std::max(params.channel, 0)) * count, count);
  map.geometry = input.geometry();
  map.unit = unit_;
  map.quantity = quantity_;
  map.label = params.label.empty() ? "MAP" : params.label;
  map.explanation = params.series_description.empty() ? map.label : params.series_description;
  write_parametric_map(numbered_path(params.path, run.sequence()), map, source_, description_);
}

}  // namespace isocenter::detail::dicom
