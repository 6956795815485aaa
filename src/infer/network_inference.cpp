#include "infer/network_inference.hpp"

namespace isocenter::infer {

void NetworkInferenceOperator::plan(PlanContext& plan) {
  const PayloadRef in = plan.input("input");
  shape_ = isocenter::detail::grid_shape(in, "input", "voxels", DType::float32);
  network_.plan(plan, shape_,
                {params.model, params.window, static_cast<double>(params.overlap), params.intensity, params.precision,
                 params.engine, params.batch, params.stream_batch, std::int64_t{params.keep_plans_mb} << 20});
  if (params.check_numbers) network_.check_numbers();
  plan.scratch(static_cast<std::uint64_t>(network_.scratch_bytes()));
  PayloadRef out = plan.output("output");
  if (network_.channels() == 1) return out.like(in);
  const std::int64_t c = network_.channels();
  out.set_tensor("voxels", shape_.has_time
                               ? tensor(DType::float32, "tczyx", {shape_.nt, c, shape_.nz, shape_.ny, shape_.nx})
                               : tensor(DType::float32, "czyx", {c, shape_.nz, shape_.ny, shape_.nx}));
  out.set_geometry(in.geometry());
  out.inherit_attributes(in);
  isocenter_payload_set_text(out.get(), "unit", nullptr, nullptr);
}

void NetworkInferenceOperator::run(const RunContext& run) {
  const bool gives = params.stream_batch == 1 || run.part() >= 0, takes = params.stream_batch == 1 || !gives;
  const float* in = takes ? run.input("input").tensor("voxels").as<const float>() : nullptr;
  if (!gives) return network_.take_item(run, run.scratch<std::byte>(), in);
  auto* out = run.output("output").tensor("voxels").as<float>();
  for (int t = 0; t < shape_.nt; ++t)
    network_.run_scores(run, run.scratch<std::byte>(), in + t * shape_.frame_voxels(),
                        out + t * shape_.frame_voxels() * network_.channels(), network_.channels() == 1, t, shape_.nt);
}

}  // namespace isocenter::infer
