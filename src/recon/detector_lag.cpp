#include "recon/detector_lag.hpp"

#include <cmath>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/detector_lag.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/correction_input.hpp"

namespace isocenter::detail {

class DetectorLagOperator : public OperatorBase<DetectorLag> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = projection_shape(input, "input");
    check_raw_counts(input, "input");
    plan.output("output").like(input, "views");
    kernel_ = {};
    kernel_.pixels = shape_.pixels();
    kernel_.columns = shape_.columns;
    kernel_.views = shape_.views;
    kernel_.offset = static_cast<float>(params.dark_counts);
    blocks_ = view_blocks_of(input);
    set_terms();
    kernel_.state =
        plan.allocate<float>(static_cast<std::uint64_t>(shape_.pixels()) * static_cast<std::uint64_t>(kernel_.terms),
                             "what is left of earlier views");
    plan.require_kernel<DetectorLagKernel>();
    plan.require_kernel<ClearLagState>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    if (const std::int64_t scan = run.sequence() / blocks_; params.state == LagState::item && scan != scan_) {
      scan_ = scan;
      launch(launcher, ClearLagState{kernel_.state, shape_.columns, shape_.rows}, shape_.columns, shape_.rows,
             kernel_.terms);
    }
    kernel_.in = run.input("input").tensor("views").as<const float>();
    kernel_.out = run.output("output").tensor("views").as<float>();
    launch(launcher, kernel_, shape_.columns, shape_.rows, 1);
  }

 private:
  void set_terms() {
    const std::size_t n = params.fractions.size();
    if (n == 0 || n > DetectorLagKernel::most || n != params.rates_per_view.size())
      throw Failure(ErrorCode::invalid_argument,
                    "there are " + std::to_string(n) + " fractions and " +
                        std::to_string(params.rates_per_view.size()) + " rates_per_view",
                    "give one of each for each exponential, 1 to 4");
    double sum = 0.0, at_once = 1.0;
    for (std::size_t i = 0; i < n; ++i) {
      const double keep = std::exp(-params.rates_per_view[i]);
      const double weight = params.fractions[i] * (1.0 - keep);
      kernel_.keep[i] = static_cast<float>(keep);
      kernel_.weight[i] = static_cast<float>(weight);
      sum += params.fractions[i];
      at_once += weight - params.fractions[i];
    }
    if (sum >= 1.0)
      throw Failure(ErrorCode::invalid_argument,
                    "the fractions' sum is " + text_of(sum) + ", and less than 1 is needed",
                    "give each exponential's share of the whole signal");
    kernel_.terms = static_cast<int>(n);
    kernel_.scale = static_cast<float>(1.0 / at_once);
  }

  ProjectionShape shape_;
  std::int64_t blocks_ = 1, scan_ = -1;  // items of a scan; the one that is worked on
  DetectorLagKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(detector_lag, DetectorLagOperator)
