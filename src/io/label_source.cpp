#include "label_source.hpp"

#include "planned_reader.hpp"

namespace isocenter::detail::io {

void LabelSourceOperator::plan(PlanContext& plan) {
  reader_ = plan_reader(plan, params.path, "labels", DType::uint8);
  if (!params.names.empty()) plan.output("output").set_text("labels.names", params.names);
}

void LabelSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  reader_->read_labels(run.output("output").tensor("labels").span<std::uint8_t>(), progress_of(run));
}

}  // namespace isocenter::detail::io
