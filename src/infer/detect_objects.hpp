#pragma once
#include <isocenter/infer/detect_objects.hpp>

#include "infer/box_table.hpp"
#include "infer/volume_network.hpp"

namespace isocenter::infer {

class DetectObjectsOperator final : public OperatorBase<DetectObjects> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void read_input(const PayloadRef& in);
  std::vector<std::string> class_names() const;
  const float* planes(const RunContext& run, std::byte* scratch) const;
  void read_windows(const RunContext& run, std::int64_t first, std::int64_t count);
  void find_boxes(const RunContext& run, const BoxTable& table, std::int64_t first, std::int64_t count);
  const BoxTable& table_for(std::int64_t count) const { return count == network_.batch() ? table_ : rest_; }

  isocenter::detail::GridShape shape_;
  bool coloured_ = false;
  std::array<int, 3> extent_{};
  VolumeNetwork network_;
  BoxTable table_, rest_;  ///< of a whole batch; of the windows that are left, or of an item of the stream
  std::vector<isocenter::detail::ScoredBox> boxes_;
  std::vector<double> values_;
  std::vector<float> scores_;
  std::int64_t labels_at_ = 0;  ///< in the host scratch memory, behind the tables
};

}  // namespace isocenter::infer
