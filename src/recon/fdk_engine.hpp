#pragma once
// FDK as it runs: the tables on the device, the passes over groups of views. Apart from the operator, so that tests and
// benchmarks can run it without a pipeline.
#include <optional>

#include "recon/fdk_plan.hpp"
#include "recon/fdk_simd.hpp"
#include "recon/ramp_stage.hpp"

namespace isocenter::inline v1 {
class RunContext;
}

namespace isocenter::detail {

/// How many views are filtered and back-projected together. Their filtered rows stay in memory; the volume is read and
/// written once a pass, so that more views pay on a processor whose volume is in slow memory.
constexpr int fdk_views_per_pass_cpu = 96, fdk_views_per_pass_device = 32;
/// When views arrive one after the other: fewer, and the last pass a small one, because it is what is waited for.
constexpr int fdk_views_per_pass_streaming = 48, fdk_last_views_cpu = 12;

struct FdkLimits {
  std::uint64_t most_bytes = ~std::uint64_t{0};  ///< passes become smaller until scratch and stack keep within it
  std::int64_t block = 0;                        ///< views that come at once; 0: all
  bool on_host =
      false;  ///< on a device: the projections stay in host memory, and those of two passes are on the device
};

/// Whoever waits: told between passes what part is done, asked between tiles whether to stop.
struct FdkWatch {
  void (*progress)(void* user, double done) = nullptr;  ///< may throw
  bool (*stop)(void* user) = nullptr;                   ///< any thread
  void* user = nullptr;
};

/// Tables in the memory of the device that runs.
struct FdkTables {
  const std::int64_t* order = nullptr;
  const FdkViewWeight* weights = nullptr;
  const FdkMatrix* matrices = nullptr;
  const FdkRectification* rectification = nullptr;
  const float* redundancy = nullptr;
  int first_row = 0;                     ///< of the filtered detector, which has the rows from here on
  const std::int64_t* places = nullptr;  ///< 0, 1, 2, ... for the views of a pass; where projections stay on the host
  std::int64_t* note = nullptr;          ///< of the first view that cannot be filtered; on a device (bad_reading.hpp)
};

class FdkEngine {
 public:
  /// `fft` is null on the CPU. Throws Failure when the device's transform cannot be planned.
  FdkEngine(FdkPlan plan, const FftService* fft, std::int32_t device_index, int concurrency,
            const FdkLimits& limits = {});

  const FdkPlan& plan() const { return plan_; }
  int views_per_pass() const { return views_per_pass_; }
  /// For one run: with the filtered views of a pass unless views come in blocks.
  std::uint64_t scratch_bytes() const { return work_bytes_ + (limits_.block > 0 ? 0 : stack_bytes()); }
  /// What is kept between blocks: the filtered views that wait for their pass.
  std::uint64_t stack_bytes() const { return ramp_->stack_bytes(); }
  /// The filter's own tables; the others come by use.
  void upload(PlanContext& plan) { ramp_->upload(plan); }
  void use(const FdkTables& tables) { tables_ = tables; }
  /// The tables as they lie in host memory, for the CPU.
  FdkTables host_tables() const;

  /// Reconstructs all frames: projections in the order of the plan's views, volume frames × nz × ny × nx. `initial` is
  /// what a voxel outside everything gets. `context`: of a run on a device; tells readings that cannot be filtered.
  void run(const Launcher& launcher, const float* projections, float* volume, float initial, void* scratch,
           const FdkWatch& watch, const RunContext* context = nullptr) const;

  /// Takes the next block of views, view `first` of the scan the first of them: filters them into `stack` and
  /// back-projects the passes that are complete. After the last block the volume is ready. One frame.
  void add(const Launcher& launcher, const float* projections, std::int64_t first, float* volume, float initial,
           void* stack, void* scratch, const FdkWatch& watch, const RunContext* context = nullptr) const;

 private:
  struct Pass {
    std::int64_t begin, end;
  };
  Pass streaming_pass_of(std::int64_t view) const;
  RampStage::Shape choose_passes(int concurrency);
  std::uint64_t work_bytes(std::uint64_t ramp_bytes, int concurrency) const;
  /// `projections` begin with view `origin`; entries first .. first + count of the plan go to the stack from `slot` on.
  void filter(const Launcher& launcher, const float* projections, std::int64_t origin, std::int64_t first, int count,
              void* stack, std::int64_t slot, char* work) const;
  void filter_staged(const Launcher& launcher, const float* views, const Pass& pass, void* stack, char* work) const;
  void run_filter(const Launcher& launcher, FdkRows rows, std::int64_t first, int count, void* stack, std::int64_t slot,
                  char* work) const;
  void back_project(const Launcher& launcher, const Pass& pass, float* frame, float initial, bool goes_on, void* stack,
                    char* work, const FdkWatch& watch) const;
  Pass pass_at(std::int64_t first) const;
  /// The projections of a pass, those rows of them that are filtered, on their way to the device.
  int staged_rows() const { return plan_.rectification.empty() ? plan_.rows : plan_.raw_rows; }
  std::uint64_t staged_bytes() const;
  float* staged(char* work, std::int64_t turn) const;
  void stage(const RunContext& context, const float* projections, const Pass& pass, float* to) const;
  /// On a device: before the first pass, and after the last one.
  void expect_readings(const RunContext* context) const;
  void check_readings(const RunContext* context, const float* projections, std::int64_t origin) const;

  FdkPlan plan_;
  bool on_cpu_;
  FdkTables tables_;
  FdkLimits limits_;
  int views_per_pass_ = 1, views_per_filter_ = 1;
  std::optional<RampStage> ramp_;
  std::uint64_t work_bytes_ = 0;
};

}  // namespace isocenter::detail
