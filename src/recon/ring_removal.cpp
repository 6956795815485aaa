#include "recon/ring_removal.hpp"

#include <algorithm>
#include <isocenter/recon/acquisition.hpp>
#include <isocenter/recon/ring_removal.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/bad_reading.hpp"
#include "recon/correction_input.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

class RingRemovalOperator : public OperatorBase<RingRemoval> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = projection_shape(plan.input("input"), "input");
    check_line_integrals(plan.input("input"), "input");
    plan.output("output").like(plan.input("input"), "views");
    if (const std::int64_t blocks = view_blocks_of(plan.input("input")); blocks > 1)
      throw Failure(ErrorCode::unsupported,
                    "the scan comes in " + std::to_string(blocks) + " blocks, and rings are found in all views at once",
                    "give the scan as one item");
    if (shape_.views < 3)
      throw Failure(ErrorCode::bad_data,
                    "input 'input' has " + std::to_string(shape_.views) + " views, and at least 3 are needed",
                    "give all views of a scan in one item");
    if (params.window % 2 == 0 || params.window > shape_.columns)
      throw Failure(
          ErrorCode::invalid_argument,
          "window = " + std::to_string(params.window) + " columns on a detector of " + std::to_string(shape_.columns),
          "give an odd number that is not above the number of columns");
    row_floats_ = static_cast<std::uint64_t>(shape_.views) * static_cast<std::uint64_t>(shape_.columns);
    const std::uint64_t row_bytes = 2 * row_floats_ * sizeof(float);
    const std::uint64_t room = std::min<std::uint64_t>(std::uint64_t{256} << 20, plan.memory_left() / 4);
    rows_at_once_ =
        static_cast<int>(std::clamp<std::uint64_t>(room / row_bytes, 1, static_cast<std::uint64_t>(shape_.rows)));
    plan.scratch(row_bytes * static_cast<std::uint64_t>(rows_at_once_));
    if (!plan.on_cpu()) note_ = plan.allocate<std::int64_t>(1, "the first bad reading");
    plan.require_kernel<ReadingCheck>();
    plan.require_kernel<RingSort>();
    plan.require_kernel<RingSmooth>();
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    const auto* in = run.input("input").tensor("views").as<const float>();
    auto* out = run.output("output").tensor("views").as<float>();
    std::int64_t bad = no_reading;
    if (note_ != nullptr) clear_note(run, note_);
    launch(launcher, ReadingCheck{in, note_ != nullptr ? note_ : &bad, shape_.columns, shape_.rows}, shape_.columns,
           shape_.rows, shape_.views);
    if (bad != no_reading) refuse(run, in, bad);
    for (int first = 0; first < shape_.rows; first += rows_at_once_) {
      run.check_cancelled();
      const int rows = std::min(rows_at_once_, shape_.rows - first);
      float* value = run.scratch<float>();
      float* view = value + row_floats_ * static_cast<std::uint64_t>(rows);
      const std::int64_t at = static_cast<std::int64_t>(first) * shape_.columns;
      launch(launcher, RingSort{in + at, value, view, shape_.pixels(), shape_.columns, rows, shape_.views},
             shape_.columns, rows, 1);
      launch(launcher,
             RingSmooth{value, view, out + at, shape_.pixels(), shape_.columns, rows, static_cast<int>(params.window)},
             shape_.columns, shape_.views, rows);
      run.progress(static_cast<double>(first + rows) / shape_.rows);
    }
    if (note_ != nullptr) bad = read_note(run, note_);
    if (bad != no_reading) refuse(run, in, bad);
  }

 private:
  /// NaN has no rank.
  [[noreturn]] void refuse(const RunContext& run, const float* readings, std::int64_t place) const {
    float value = 0.0F;
    run.copy(&value, readings + place, sizeof value);
    run.wait();
    refuse_reading(place, value, shape_.rows, shape_.columns);
  }

  ProjectionShape shape_;
  std::int64_t* note_ = nullptr;
  std::uint64_t row_floats_ = 0;
  int rows_at_once_ = 1;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(ring_removal, RingRemovalOperator)
