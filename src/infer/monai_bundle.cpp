#include "infer/monai_bundle.hpp"

#include "infer/label_names.hpp"
#include "volume/label_colours.hpp"

namespace isocenter::infer {

void MonaiBundleOperator::plan(PlanContext& plan) {
  const PayloadRef in = plan.input("input");
  shape_ = isocenter::detail::grid_shape(in, "input", "voxels", DType::float32);
  network_.plan(plan, shape_, read_bundle(params.path), params.stream_batch);
  plan.scratch(static_cast<std::uint64_t>(network_.scratch_bytes()));
  const std::string &wanted = network_.recipe().modality, given = in.text("dicom.Modality");
  if (wanted.size() == 2 && !given.empty() && wanted != given)  // others are no DICOM word
    plan.warn("input 'input' is of Modality (0008,0060) " + given + ", and the bundle's metadata.json is for " + wanted,
              "give the bundle what it was trained on");

  const int labels = std::max(2, network_.channels());
  std::vector<std::string> names = network_.recipe().labels;
  if (static_cast<int>(names.size()) != labels) names.clear();  // one channel may be named alone
  if (names.empty() && !network_.recipe().labels.empty()) names = {"background", network_.recipe().labels[0]};
  PayloadRef out = plan.output("output");
  TensorView tensor = PayloadRef::without_data(in.tensor("voxels"));
  tensor.dtype = static_cast<std::int32_t>(DType::uint8);
  out.set_tensor("labels", tensor);
  out.set_geometry(in.geometry());
  out.inherit_attributes(in);
  isocenter_payload_set_text(out.get(), "unit", nullptr, nullptr);
  out.set_text("labels.names", label_names(names, labels));
  out.set_numbers("labels.colours", isocenter::detail::label_colours(labels));
}

void MonaiBundleOperator::run(const RunContext& run) {
  auto* scratch = run.scratch<std::byte>();
  const bool gives = params.stream_batch == 1 || run.part() >= 0, takes = params.stream_batch == 1 || !gives;
  const float* in = takes ? run.input("input").tensor("voxels").as<const float>() : nullptr;
  if (!gives) return network_.take_item(run, scratch, in);
  auto* out = run.output("output").tensor("labels").as<std::uint8_t>();
  for (int t = 0; t < shape_.nt; ++t) {
    const std::int64_t at = t * shape_.frame_voxels();
    network_.run(run, scratch, takes ? in + at : nullptr, out + at, t, shape_.nt);
  }
}

}  // namespace isocenter::infer
