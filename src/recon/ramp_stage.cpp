#include "recon/ramp_stage.hpp"

#include <algorithm>

#include "core/launcher.hpp"

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
std::uint64_t lines_of(const RampStage::Shape& shape) {
  return static_cast<std::uint64_t>(shape.views) * static_cast<std::uint64_t>(shape.rows) * sizeof(float);
}
std::uint64_t padded_bytes_of(const RampStage::Shape& shape) {
  return aligned(lines_of(shape) * static_cast<std::uint64_t>(shape.length));
}
std::uint64_t spectra_bytes_of(const RampStage::Shape& shape) {
  return aligned(lines_of(shape) * static_cast<std::uint64_t>(shape.length + 2));
}

}  // namespace

const FftService* ramp_transform_of(const PlanContext& plan) {
  if (plan.on_cpu()) return nullptr;
  const Launcher launcher = launcher_of(plan);
  const auto* fft = static_cast<const FftService*>(launcher.find(launcher.device, FftService::name));
  if (fft == nullptr || fft->struct_size < sizeof(FftService))
    throw Failure(ErrorCode::unsupported,
                  std::string("device '") + plan.device().name + "' has no Fourier transform (service \"fft\")",
                  "run this node on \"cpu\", or install the device module that belongs to this library");
  plan.require_kernel<FdkWeightRows>();
  plan.require_kernel<FdkMultiplyResponse>();
  plan.require_kernel<FdkTranspose>();
  plan.require_kernel("recon/fdk_transpose_tuned", sizeof(FdkTranspose));
  return fft;
}

std::uint64_t RampStage::stack_bytes_of(const Shape& shape) {
  const auto views = static_cast<std::uint64_t>(shape.stack_views > 0 ? shape.stack_views : shape.views);
  const FdkStack layout = FdkStack::describe(nullptr, shape.columns, shape.rows);
  return aligned(views * static_cast<std::uint64_t>(layout.view_stride) * sizeof(float) + 64);
}

std::uint64_t RampStage::work_bytes_of(const Shape& shape, bool on_cpu, int concurrency) {
  if (on_cpu)
    return aligned(fdk_filter_scratch(shape.length, shape.read_columns > 0 ? shape.read_columns : shape.columns,
                                      shape.rectified, concurrency));
  return padded_bytes_of(shape) + 2 * spectra_bytes_of(shape);
}

RampStage::RampStage(const Shape& shape, const std::vector<double>& response, const FftService* fft,
                     std::int32_t device_index, int concurrency)
    : shape_(shape), fft_(fft), stack_bytes_(stack_bytes_of(shape)) {
  if (fft_ == nullptr) {
    for (std::int64_t k = 0; k < shape.length; ++k)
      response_.push_back(static_cast<float>(response[static_cast<std::size_t>(fft_frequency_at(k, shape.length))]));
    twiddles_.resize(static_cast<std::size_t>(fft_twiddle_count(shape.length)));
    fft_fill_twiddles(shape.length, twiddles_.data());
    twiddle_table_ = twiddles_.data();
    response_table_ = response_.data();
    work_bytes_ = work_bytes_of(shape, true, concurrency);
    return;
  }
  for (std::int64_t k = 0; k <= shape.length / 2; ++k)
    response_.push_back(static_cast<float>(response[static_cast<std::size_t>(k)]));
  const std::int64_t lines = static_cast<std::int64_t>(shape.views) * shape.rows;
  std::uint64_t workspace_bytes = 0;
  if (const int error = fft_->plan_real(device_index, shape.length, lines, &fft_plan_, &workspace_bytes); error != 0)
    throw Failure(ErrorCode::unsupported,
                  std::string(fft_->error_text(error)) + " (" + std::to_string(lines) + " rows of " +
                      std::to_string(shape.length) + ")",
                  "run this node on \"cpu\", or use a smaller detector");
  padded_bytes_ = padded_bytes_of(shape);
  spectra_bytes_ = spectra_bytes_of(shape);
  work_bytes_ = padded_bytes_ + spectra_bytes_ + aligned(workspace_bytes);
  response_table_ = response_.data();
}

RampStage::~RampStage() {
  if (fft_ != nullptr) fft_->destroy(fft_plan_);
}

void RampStage::upload(PlanContext& plan) {
  response_table_ = plan.upload(std::span<const float>(response_), "ramp filter");
  if (fft_ == nullptr) twiddle_table_ = plan.upload(std::span<const Complex<float>>(twiddles_), "Fourier factors");
}

std::int64_t RampStage::run(const Launcher& launcher, const FdkRows& rows, int views, void* stack_memory,
                            void* work) const {
  const FdkFilter filter{rows, views, stack(stack_memory), shape_.length, twiddle_table_, response_table_};
  if (fft_ == nullptr) return fdk_filter(launcher, filter, work);
  char* const memory = static_cast<char*>(work);
  const FdkDeviceFilter device{fft_,
                               fft_plan_,
                               reinterpret_cast<float*>(memory),
                               reinterpret_cast<float*>(memory + padded_bytes_),
                               memory + padded_bytes_ + spectra_bytes_,
                               response_table_};
  const bool own_kernels = !launcher.reference_only && !launcher.on_cpu();
  if (const int error = fdk_filter_on_device(launcher, filter, device, own_kernels); error != 0)
    throw Failure(ErrorCode::device_lost, fft_->error_text(error), "restart the program; if it stays, run on \"cpu\"");
  return -1;
}

}  // namespace isocenter::detail
