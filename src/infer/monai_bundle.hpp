#pragma once
#include <isocenter/infer/monai_bundle.hpp>

#include "infer/bundle_network.hpp"

namespace isocenter::infer {

class MonaiBundleOperator final : public OperatorBase<MonaiBundle> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  isocenter::detail::GridShape shape_;
  BundleNetwork network_;
};

}  // namespace isocenter::infer
