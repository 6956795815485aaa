#pragma once
#include <isocenter/infer/segment_volume.hpp>

#include "infer/volume_network.hpp"

namespace isocenter::infer {

class SegmentVolumeOperator final : public OperatorBase<SegmentVolume> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void describe_output(PlanContext& plan) const;

  isocenter::detail::GridShape shape_;
  VolumeNetwork network_;
  unsigned long long* limits_ = nullptr;  ///< for largest_component
};

}  // namespace isocenter::infer
