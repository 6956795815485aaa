#include "recon/fdk_engine.hpp"

#include <algorithm>
#include <cmath>
#include <isocenter/operator.hpp>

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
}  // namespace

FdkEngine::FdkEngine(FdkPlan plan, const FftService* fft, std::int32_t device_index, int concurrency)
    : plan_(std::move(plan)), fft_(fft) {
  const int most = fft == nullptr ? fdk_views_per_pass_cpu : fdk_views_per_pass_device;
  for (std::size_t f = 0; f + 1 < plan_.frame_begin.size(); ++f)
    views_per_pass_ =
        std::max(views_per_pass_,
                 static_cast<int>(std::min<std::int64_t>(most, plan_.frame_begin[f + 1] - plan_.frame_begin[f])));
  const auto views = static_cast<std::uint64_t>(views_per_pass_);
  const FdkStack stack = FdkStack::describe(nullptr, plan_.columns, plan_.rows);
  stack_bytes_ = aligned(views * static_cast<std::uint64_t>(stack.view_stride) * sizeof(float) + 64);
  if (fft_ == nullptr) {
    response_.resize(static_cast<std::size_t>(plan_.length));
    for (std::int64_t k = 0; k < plan_.length; ++k)
      response_[static_cast<std::size_t>(k)] =
          static_cast<float>(plan_.response[static_cast<std::size_t>(fft_frequency_at(k, plan_.length))]);
    twiddles_.resize(static_cast<std::size_t>(fft_twiddle_count(plan_.length)));
    fft_fill_twiddles(plan_.length, twiddles_.data());
    // Filtering and back projection follow each other, so they share what lies behind the stack.
    scratch_bytes_ = stack_bytes_ + std::max(aligned(fdk_filter_scratch(plan_.length, plan_.end - plan_.begin,
                                                                        !plan_.rectification.empty(), concurrency)),
                                             aligned(fdk_aligned_scratch(concurrency)));
    return;
  }
  for (std::int64_t k = 0; k <= plan_.length / 2; ++k)
    response_.push_back(static_cast<float>(plan_.response[static_cast<std::size_t>(k)]));
  const std::uint64_t lines = views * static_cast<std::uint64_t>(plan_.rows);
  padded_bytes_ = aligned(lines * static_cast<std::uint64_t>(plan_.length) * sizeof(float));
  spectra_bytes_ = aligned(lines * static_cast<std::uint64_t>(plan_.length + 2) * sizeof(float));
  std::uint64_t workspace_bytes = 0;
  if (const int error =
          fft_->plan_real(device_index, plan_.length, static_cast<std::int64_t>(lines), &fft_plan_, &workspace_bytes);
      error != 0)
    throw Failure(ErrorCode::unsupported,
                  std::string(fft_->error_text(error)) + " (" + std::to_string(lines) + " rows of " +
                      std::to_string(plan_.length) + ")",
                  "run this node on \"cpu\", or use a smaller detector");
  scratch_bytes_ = stack_bytes_ + padded_bytes_ + spectra_bytes_ + aligned(workspace_bytes);
}

FdkEngine::~FdkEngine() {
  if (fft_ != nullptr) fft_->destroy(fft_plan_);
}

FdkTables FdkEngine::host_tables() const {
  return {plan_.order.data(),
          plan_.weights.data(),
          plan_.matrices.data(),
          twiddles_.data(),
          response_.data(),
          plan_.rectification.empty() ? nullptr : plan_.rectification.data(),
          plan_.redundancy.empty() ? nullptr : plan_.redundancy.data()};
}

FdkFilter FdkEngine::filter_of(const float* projections, std::int64_t first, int count, const FdkStack& stack) const {
  FdkRows rows{projections,
               tables_.order + first,
               tables_.weights + first,
               plan_.raw_columns,
               plan_.raw_rows,
               plan_.columns,
               plan_.begin,
               plan_.end};
  if (tables_.rectification != nullptr) rows.rectification = tables_.rectification + first;
  if (tables_.redundancy != nullptr) {
    rows.redundancy = tables_.redundancy + first * plan_.columns;
    rows.redundancy_stride = plan_.columns;
  }
  rows.truncation = plan_.truncation;
  // Where a displaced detector's shorter side ends the weights are 0 already.
  rows.extend_left = plan_.truncation != FdkTruncation::none && plan_.begin == 0;
  rows.extend_right = plan_.truncation != FdkTruncation::none && plan_.end == plan_.columns;
  rows.extension = plan_.extension;
  rows.mu_column = static_cast<float>(plan_.mu_column);
  return {rows, count, stack, plan_.length, tables_.twiddles, tables_.response};
}

void FdkEngine::refuse_reading(const float* projections, std::int64_t place) const {
  const std::int64_t elements = static_cast<std::int64_t>(plan_.raw_columns) * plan_.raw_rows;
  const float value = projections[place];
  const std::string where = "the projection of view " + std::to_string(place / elements) + " has " +
                            std::to_string(value) + " at row " + std::to_string(place % elements / plan_.raw_columns) +
                            ", column " + std::to_string(place % plan_.raw_columns);
  if (std::isfinite(value))
    throw Failure(ErrorCode::bad_data, where + ", so much that its filtered row is beyond what float32 holds",
                  "give line integrals, -ln(I / I0)");
  throw Failure(ErrorCode::bad_data, where + ", which is not a number that can be filtered",
                "repair dead elements and counts of 0 before this node (line integrals are -ln(I / I0))");
}

void FdkEngine::run(const Launcher& launcher, const float* projections, float* volume, float initial, void* scratch,
                    OnPass on_pass, void* user) const {
  const std::int64_t voxels = plan_.grid.nx * plan_.grid.ny * plan_.grid.nz;
  const auto all = static_cast<double>(plan_.order.size());
  for (std::int64_t f = 0; f < plan_.frames(); ++f) {
    const std::int64_t begin = plan_.frame_begin[static_cast<std::size_t>(f)];
    const std::int64_t end = plan_.frame_begin[static_cast<std::size_t>(f) + 1];
    for (std::int64_t first = begin; first < end; first += views_per_pass_) {
      if (on_pass != nullptr) on_pass(user, static_cast<double>(first) / all);
      const int count = static_cast<int>(std::min<std::int64_t>(views_per_pass_, end - first));
      pass(launcher, projections, first, count, volume + f * voxels, initial, first > begin,
           static_cast<char*>(scratch));
    }
  }
}

void FdkEngine::pass(const Launcher& launcher, const float* projections, std::int64_t first, int count, float* frame,
                     float initial, bool goes_on, char* scratch) const {
  const FdkStack stack = FdkStack::describe(reinterpret_cast<float*>(scratch), plan_.columns, plan_.rows);
  char* const behind = scratch + stack_bytes_;
  const FdkFilter filter = filter_of(projections, first, count, stack);
  const FdkBackProject job{stack,
                           tables_.matrices + first,
                           count,
                           frame,
                           static_cast<int>(plan_.grid.nx),
                           static_cast<int>(plan_.grid.ny),
                           static_cast<int>(plan_.grid.nz),
                           initial,
                           goes_on,
                           plan_.column_axis};
  const bool tuned = plan_.aligned && !launcher.reference_only;
  if (fft_ == nullptr) {
    if (const std::int64_t bad = fdk_filter(launcher, filter, behind); bad >= 0) refuse_reading(projections, bad);
    if (tuned && fdk_back_project_aligned(launcher, job, behind)) return;
    return launch(launcher, job, job.nx, job.ny, job.nz);
  }
  const FdkDeviceFilter device{fft_,
                               fft_plan_,
                               reinterpret_cast<float*>(behind),
                               reinterpret_cast<float*>(behind + padded_bytes_),
                               behind + padded_bytes_ + spectra_bytes_,
                               tables_.response};
  const bool own_kernels = !launcher.reference_only && !launcher.on_cpu();
  if (const int error = fdk_filter_on_device(launcher, filter, device, own_kernels); error != 0)
    throw Failure(ErrorCode::device_lost, fft_->error_text(error), "restart the program; if it stays, run on \"cpu\"");
  if (tuned && own_kernels)
    return launch_by_name(launcher, "recon/fdk_back_project_columns", &job, job.nx, job.ny, job.nz);
  launch(launcher, job, job.nx, job.ny, job.nz);
}

}  // namespace isocenter::detail
