#pragma once
// FDK as it runs: the tables on the device, the passes over groups of views. Apart from the operator, so that tests and
// benchmarks can run it without a pipeline.
#include <functional>
#include <memory>

#include "recon/fdk_device_filter.hpp"
#include "recon/fdk_plan.hpp"
#include "recon/fdk_simd.hpp"

namespace isocenter::detail {

/// How many views are filtered and back-projected together. Their filtered rows stay in memory; the volume is read and
/// written once a pass, so that more views pay on a processor whose volume is in slow memory.
constexpr int fdk_views_per_pass_cpu = 96, fdk_views_per_pass_device = 32;

/// Tables in the memory of the device that runs.
struct FdkTables {
  const std::int64_t* order = nullptr;
  const FdkViewWeight* weights = nullptr;
  const FdkMatrix* matrices = nullptr;
  const Complex<float>* twiddles = nullptr;  ///< CPU only
  const float* response = nullptr;           ///< CPU: in transform order; else length / 2 + 1 in natural order
  const FdkRectification* rectification = nullptr;
  const float* redundancy = nullptr;
};

class FdkEngine {
 public:
  /// `fft` is null on the CPU. Throws Failure when the device's transform cannot be planned.
  FdkEngine(FdkPlan plan, const FftService* fft, std::int32_t device_index, int concurrency);
  ~FdkEngine();
  FdkEngine(const FdkEngine&) = delete;
  FdkEngine& operator=(const FdkEngine&) = delete;

  const FdkPlan& plan() const { return plan_; }
  std::uint64_t scratch_bytes() const { return scratch_bytes_; }
  /// What the tables hold, in host memory.
  const std::vector<float>& response() const { return response_; }
  const std::vector<Complex<float>>& twiddles() const { return twiddles_; }
  void use(const FdkTables& tables) { tables_ = tables; }
  /// The tables as they lie in host memory, for the CPU.
  FdkTables host_tables() const;

  /// What one pass gets: called before each with the part that is done; may throw to stop.
  using OnPass = void (*)(void* user, double done);

  /// Reconstructs all frames: projections in the order of the plan's views, volume frames × nz × ny × nx. `initial` is
  /// what a voxel outside everything gets.
  void run(const Launcher& launcher, const float* projections, float* volume, float initial, void* scratch,
           OnPass on_pass, void* user) const;

 private:
  FdkFilter filter_of(const float* projections, std::int64_t first, int count, const FdkStack& stack) const;
  [[noreturn]] void refuse_reading(const float* projections, std::int64_t place) const;
  void pass(const Launcher& launcher, const float* projections, std::int64_t first, int count, float* frame,
            float initial, bool goes_on, char* scratch) const;

  FdkPlan plan_;
  const FftService* fft_;
  void* fft_plan_ = nullptr;
  FdkTables tables_;
  std::vector<float> response_;
  std::vector<Complex<float>> twiddles_;
  int views_per_pass_ = 0;
  std::uint64_t stack_bytes_ = 0, padded_bytes_ = 0, spectra_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace isocenter::detail
