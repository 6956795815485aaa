#pragma once
#include <isocenter/infer/calibrate_network.hpp>

#include "infer/volume_network.hpp"

namespace isocenter::infer {

class CalibrateNetworkOperator final : public OperatorBase<CalibrateNetwork> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool completed) override;

 private:
  VolumeNetwork network_;
  isocenter::detail::GridShape shape_;
  std::string digest_;  ///< of the model as it was planned
  bool seen_ = false;
};

/// The model's file with an entry more in its metadata, as parse_onnx reads it: the last one of a key counts.
std::string with_metadata(std::string file, const std::string& key, const std::string& value);

}  // namespace isocenter::infer
