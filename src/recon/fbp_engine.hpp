#pragma once
// Filtered back projection as it runs: the tables on the device, the passes over groups of slices. Apart from the
// operator, so that tests and benchmarks can run it without a pipeline.
#include <algorithm>

#include "recon/fbp_filter.hpp"
#include "recon/fbp_plan.hpp"
#include "recon/fbp_simd.hpp"
#include "recon/fdk_device_filter.hpp"

namespace isocenter::inline v1 {
class RunContext;
}

namespace isocenter::detail {

/// Tables in the memory of the device that runs.
struct FbpTables {
  const FbpView* pixels = nullptr;
  const float* weights = nullptr;
  const float* response = nullptr;           ///< CPU: in transform order; else length / 2 + 1 in natural order
  const Complex<float>* twiddles = nullptr;  ///< CPU only
  std::int64_t* note = nullptr;  ///< of the first view that cannot be filtered; on a device (bad_reading.hpp)
};

struct FbpLimits {
  std::uint64_t most_bytes =
      ~std::uint64_t{0};  ///< passes become smaller, down to a slice, until scratch keeps within it
  bool on_host = false;   ///< on a device: projections and image lie in host memory, those of two passes on the device
  int slices = 0;         ///< a run makes so many; 0: all
};

class FbpEngine {
 public:
  /// `fft` is null on the CPU; `variant` is the CPU's, null for the reference. Throws Failure when the device's
  /// transform cannot be planned.
  FbpEngine(FbpPlan plan, const FftService* fft, std::int32_t device_index, int concurrency, const FbpVariant* variant,
            const FbpLimits& limits = {});
  ~FbpEngine();
  FbpEngine(const FbpEngine&) = delete;
  FbpEngine& operator=(const FbpEngine&) = delete;

  const FbpPlan& plan() const { return plan_; }
  std::uint64_t scratch_bytes() const { return scratch_bytes_; }
  int slices_per_pass() const { return slices_per_pass_; }
  /// What the tables hold, in host memory.
  const std::vector<float>& response() const { return response_; }
  const std::vector<Complex<float>>& twiddles() const { return twiddles_; }
  void use(const FbpTables& tables) { tables_ = tables; }
  FbpTables host_tables() const {
    return {plan_.pixels.data(), plan_.weights.data(), response_.data(), twiddles_.data(), nullptr};
  }
  /// "AVX-512, slices together", "reference": how the pixels are summed up.
  std::string method() const;

  /// Called before each pass with the part that is done; may throw to stop.
  using OnPass = void (*)(void* user, double done);

  /// Reconstructs the slices from `first_slice` on: projections views × rows × columns, image slices × ny × nx.
  /// `initial` is what a pixel outside everything gets. `context`: of a run whose projections and image lie in host
  /// memory.
  void run(const Launcher& launcher, const float* projections, float* image, float initial, void* scratch,
           OnPass on_pass, void* user, const RunContext* context = nullptr, int first_slice = 0) const;

 private:
  struct Pass {
    int first, slices;
  };
  /// After `done` slices of a run.
  Pass pass_after(int done, int first_slice) const {
    return {first_slice + done, std::min(slices_per_pass_, slices_ - done)};
  }
  /// Detector row of a slice.
  int row_of(int slice) const { return plan_.top_down ? plan_.rows - 1 - slice : slice; }
  void choose_pass(const FbpLimits& limits, int concurrency);
  void run_pass(const Launcher& launcher, const FbpLines& lines, const Pass& pass, float* image, float initial,
                void* scratch) const;
  void run_from_host(const Launcher& launcher, const float* projections, float* image, float initial, void* scratch,
                     OnPass on_pass, void* user, const RunContext& context, int first_slice) const;
  void stage(const RunContext& context, const float* projections, const Pass& pass, float* to) const;
  FbpLines lines_of(const float* projections, int rows, int first_row) const {
    return {projections, tables_.weights, plan_.raw_columns,       rows,
            plan_.begin, first_row,       plan_.top_down ? -1 : 1, plan_.extension};
  }
  std::uint64_t staged_bytes() const;
  std::uint64_t image_bytes() const;

  FbpStack stack_of(float* memory, int slices) const;
  void filter(const Launcher& launcher, const FbpLines& lines, const FbpStack& stack, char* behind) const;

  FbpPlan plan_;
  const FftService* fft_;
  const FbpVariant* variant_;
  std::vector<void*> fft_plans_;  ///< of passes of all slices, and of the last, shorter one
  FbpTables tables_;
  std::vector<float> response_;
  std::vector<Complex<float>> twiddles_;
  bool on_host_ = false;
  int slices_ = 0, slices_per_pass_ = 1;
  std::uint64_t stack_bytes_ = 0, padded_bytes_ = 0, spectra_bytes_ = 0, workspace_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace isocenter::detail
