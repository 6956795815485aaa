#pragma once
#include <isocenter/infer/classify_image.hpp>
#include <memory>

#include "infer/class_scores.hpp"
#include "infer/executor.hpp"
#include "infer/image_preparation.hpp"
#include "infer/stream_items.hpp"

namespace isocenter::infer {

class ClassifyImageOperator final : public OperatorBase<ClassifyImage> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void choose_batch();
  void plan_executor(PlanContext& plan, const std::string& digest);
  int classes_of(const Port& out) const;
  void plan_items(PlanContext& plan);
  void plan_scratch(PlanContext& plan);
  void state_batch(PlanContext& plan) const;

  const isocenter::detail::Launcher& launcher(const RunContext& run);
  void bind(std::byte* scratch);
  std::int64_t arena_bytes() const;
  void run_images(const RunContext& run, std::byte* scratch, float* logits);

  OnnxModel model_;
  ModelCard card_;
  ImagePreparation images_;
  ClassScores scores_;
  int classes_ = 0;
  int batch_ = 1;                              ///< images of an item, or items of the stream, at once
  std::unique_ptr<Executor> executor_, rest_;  ///< for batch_ images; for those that are left, where any are
  StreamItems items_;
  std::byte* bound_ = nullptr;
  bool on_cpu_ = true;
  isocenter::detail::Launcher launcher_;
  std::int64_t logits_at_ = 0;  ///< in the scratch memory
};

}  // namespace isocenter::infer
