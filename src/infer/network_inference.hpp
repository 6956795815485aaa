#pragma once
#include <isocenter/infer/network_inference.hpp>

#include "infer/volume_network.hpp"

namespace isocenter::infer {

class NetworkInferenceOperator final : public OperatorBase<NetworkInference> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  isocenter::detail::GridShape shape_;
  VolumeNetwork network_;
};

}  // namespace isocenter::infer
