#include "doubling.hpp"

#include <algorithm>

class DoublingOperator final : public isocenter::OperatorBase<Doubling> {
  void plan(isocenter::PlanContext& plan) override { plan.output("output").like(plan.input("input")); }
  void run(const isocenter::RunContext& run) override {
    const auto in = run.input("input").tensor("voxels").span<float>();
    const auto out = run.output("output").tensor("voxels").span<float>();
    std::transform(in.begin(), in.end(), out.begin(), [](float v) { return 2.0F * v; });
  }
};

ISOCENTER_MODULE(DoublingOperator)
