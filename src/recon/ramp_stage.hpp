#pragma once
// The ramp filter as a part of a reconstruction that makes its own rows: tables, memory and run, on the CPU and on a
// device.
#include <isocenter/operator.hpp>
#include <vector>

#include "recon/fdk_device_filter.hpp"

namespace isocenter::detail {

/// The device's Fourier transform; null on the CPU. Throws Failure when the device has none. The kernels that RampStage
/// launches are required of the device too.
const FftService* ramp_transform_of(const PlanContext& plan);

class RampStage {
 public:
  struct Shape {
    int columns = 0, rows = 0, views = 0;  ///< of a stack; `views` are filtered at once
    std::int64_t length = 0;               ///< of the transforms: ramp_filter_length(columns) or more
    int extension = 0;                     ///< columns beyond the sides that rows go on
    bool rectified = false;
    int stack_views = 0;   ///< the stack holds so many; 0: those filtered at once
    int read_columns = 0;  ///< so many have readings; 0: all
  };
  /// What one with this shape takes. On a device the transform's workspace is taken to be as large as the spectra.
  static std::uint64_t stack_bytes_of(const Shape& shape);
  static std::uint64_t work_bytes_of(const Shape& shape, bool on_cpu, int concurrency);

  /// `response` in natural order (ramp_response). `fft` is null on the CPU. Throws Failure when the device's transform
  /// cannot be planned.
  RampStage(const Shape& shape, const std::vector<double>& response, const FftService* fft, std::int32_t device_index,
            int concurrency);
  ~RampStage();
  RampStage(const RampStage&) = delete;
  RampStage& operator=(const RampStage&) = delete;

  std::uint64_t stack_bytes() const { return stack_bytes_; }  ///< of the filtered views; 64-byte aligned
  std::uint64_t work_bytes() const { return work_bytes_; }    ///< only while it filters
  /// In host memory it runs without this too, with the tables that it has made.
  void upload(PlanContext& plan);
  /// What upload takes.
  std::uint64_t table_bytes() const {
    return response_.size() * sizeof(float) + (fft_ == nullptr ? twiddles_.size() * sizeof(Complex<float>) : 0);
  }
  FdkStack stack(void* memory) const {
    return FdkStack::describe(static_cast<float*>(memory), shape_.columns, shape_.rows);
  }
  /// Fills the first `views` views of the stack at `stack`, which may be a later view of a larger one. Returns -1, or
  /// on the CPU the place in rows.projections of a reading whose filtered row is not finite (fdk_filter). Throws
  /// Failure when the device fails.
  std::int64_t run(const Launcher& launcher, const FdkRows& rows, int views, void* stack, void* work) const;

 private:
  Shape shape_;
  const FftService* fft_;
  void* fft_plan_ = nullptr;
  std::vector<float> response_;
  std::vector<Complex<float>> twiddles_;
  const float* response_table_ = nullptr;
  const Complex<float>* twiddle_table_ = nullptr;
  std::uint64_t stack_bytes_ = 0, padded_bytes_ = 0, spectra_bytes_ = 0, work_bytes_ = 0;
};

}  // namespace isocenter::detail
