#include "infer/segment_volume.hpp"

#include "core/launcher.hpp"
#include "infer/label_names.hpp"
#include "volume/label_colours.hpp"
#include "volume/parts.hpp"

namespace isocenter::infer {
namespace {

std::string joined_names(const ModelCard& card, int labels, const std::string& model) {
  if (!card.class_names.empty() && card.class_names.size() != static_cast<std::size_t>(labels))
    throw Failure(ErrorCode::bad_data,
                  model + ": the metadata 'isocenter.class_names' names " + std::to_string(card.class_names.size()) +
                      " classes, and the network has " + std::to_string(labels) + " labels",
                  "name each label, the background first, with backslashes between");
  return label_names(card.class_names, labels);
}

std::vector<double> colours(const ModelCard& card, int labels, const std::string& model) {
  if (!card.class_colours.empty()) {
    if (card.class_colours.size() != 3 * static_cast<std::size_t>(labels))
      throw Failure(ErrorCode::bad_data,
                    model + ": the metadata 'isocenter.class_colours' has " +
                        std::to_string(card.class_colours.size()) + " numbers, and " + std::to_string(labels) +
                        " labels need three each",
                    "give three numbers for each label, the background first");
    return card.class_colours;
  }
  return isocenter::detail::label_colours(labels);
}

}  // namespace

void SegmentVolumeOperator::plan(PlanContext& plan) {
  shape_ = isocenter::detail::grid_shape(plan.input("input"), "input", "voxels", DType::float32);
  if (params.largest_component && shape_.frame_voxels() > INT32_MAX - 1)
    throw Failure(ErrorCode::unsupported, "largest_component = true is there for up to 2147483646 voxels",
                  "leave it out, or crop the volume");
  network_.plan(plan, shape_,
                {params.model, params.window, static_cast<double>(params.overlap), params.intensity, params.precision,
                 params.engine, params.batch, params.stream_batch, std::int64_t{params.keep_plans_mb} << 20});
  if (params.check_numbers) network_.check_numbers();
  if (network_.channels() > 255)
    throw Failure(ErrorCode::unsupported,
                  params.model + ": the network has " + std::to_string(network_.channels()) +
                      " classes, and labels of 8 bits hold 255",
                  "use network_inference for its scores");
  std::int64_t scratch = network_.scratch_bytes();
  if (params.largest_component) {
    scratch += shape_.frame_voxels() * static_cast<std::int64_t>(sizeof(std::int32_t));
    limits_ = plan.allocate<unsigned long long>(256, "sizes of parts");
    isocenter::detail::require_parts(plan);
  }
  plan.scratch(static_cast<std::uint64_t>(scratch));
  describe_output(plan);
}

void SegmentVolumeOperator::describe_output(PlanContext& plan) const {
  const PayloadRef in = plan.input("input");
  PayloadRef out = plan.output("output");
  TensorView labels = PayloadRef::without_data(in.tensor("voxels"));
  labels.dtype = static_cast<std::int32_t>(DType::uint8);
  out.set_tensor("labels", labels);
  out.set_geometry(in.geometry());
  out.inherit_attributes(in);
  isocenter_payload_set_text(out.get(), "unit", nullptr, nullptr);
  const int count = network_.channels() == 1 ? 2 : network_.channels();
  out.set_text("labels.names", joined_names(network_.card(), count, params.model));
  out.set_numbers("labels.colours", colours(network_.card(), count, params.model));
}

void SegmentVolumeOperator::run(const RunContext& run) {
  const bool gives = params.stream_batch == 1 || run.part() >= 0, takes = params.stream_batch == 1 || !gives;
  const float* in = takes ? run.input("input").tensor("voxels").as<const float>() : nullptr;
  auto* scratch = run.scratch<std::byte>();
  if (!gives) return network_.take_item(run, scratch, in);
  auto* out = run.output("output").tensor("labels").as<std::uint8_t>();
  for (int t = 0; t < shape_.nt; ++t) {
    const std::int64_t at = t * shape_.frame_voxels();
    network_.run_labels(run, scratch, in + at, out + at, params.threshold, t, shape_.nt);
    if (!params.largest_component) continue;
    namespace kernels = isocenter::detail;
    kernels::keep_parts(
        kernels::launcher_of(run), {shape_.nx, shape_.ny, shape_.nz, out + at, kernels::PartRule::equal_labels},
        reinterpret_cast<std::int32_t*>(scratch + network_.scratch_bytes()), 6, 1, 1, limits_, out + at);
  }
}

}  // namespace isocenter::infer
