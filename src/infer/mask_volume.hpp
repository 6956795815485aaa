#pragma once
#include <array>
#include <isocenter/infer/mask_volume.hpp>

#include "core/volume_input.hpp"

namespace isocenter::infer {

class MaskVolumeOperator final : public OperatorBase<MaskVolume> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  isocenter::detail::GridShape shape_, mask_shape_;
  std::array<std::uint8_t, 256> kept_{};  ///< 1 for a label that is kept
  unsigned long long* limits_ = nullptr;  ///< for largest_component
};

}  // namespace isocenter::infer
