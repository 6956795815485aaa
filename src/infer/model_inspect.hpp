#pragma once
#include <isocenter/infer/model_inspect.hpp>

namespace isocenter::infer {

class ModelInspectOperator final : public OperatorBase<ModelInspect> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

}  // namespace isocenter::infer
