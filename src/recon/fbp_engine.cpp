#include "recon/fbp_engine.hpp"

#include <algorithm>
#include <isocenter/operator.hpp>

#include "recon/bad_reading.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
}  // namespace

FbpEngine::FbpEngine(FbpPlan plan, const FftService* fft, std::int32_t device_index, int concurrency,
                     const FbpVariant* variant)
    : plan_(std::move(plan)), fft_(fft), variant_(fft == nullptr ? variant : nullptr) {
  const int passes = (plan_.rows + FbpStack::slices_together - 1) / FbpStack::slices_together;
  slices_per_pass_ = (plan_.rows + passes - 1) / passes;
  const FbpStack stack = stack_of(nullptr, slices_per_pass_);
  const auto views = static_cast<std::uint64_t>(plan_.views);
  stack_bytes_ = aligned(views * static_cast<std::uint64_t>(stack.view_stride) * sizeof(float));
  if (fft_ == nullptr) {
    response_.resize(static_cast<std::size_t>(plan_.length));
    for (std::int64_t k = 0; k < plan_.length; ++k)
      response_[static_cast<std::size_t>(k)] =
          static_cast<float>(plan_.response[static_cast<std::size_t>(fft_frequency_at(k, plan_.length))]);
    twiddles_.resize(static_cast<std::size_t>(fft_twiddle_count(plan_.length)));
    fft_fill_twiddles(plan_.length, twiddles_.data());
    scratch_bytes_ = stack_bytes_ + aligned(fbp_filter_scratch(plan_.length) * static_cast<std::uint64_t>(concurrency));
    return;
  }
  for (std::int64_t k = 0; k <= plan_.length / 2; ++k)
    response_.push_back(static_cast<float>(plan_.response[static_cast<std::size_t>(k)]));
  const std::uint64_t lines = views * static_cast<std::uint64_t>(slices_per_pass_);
  padded_bytes_ = aligned(lines * static_cast<std::uint64_t>(plan_.length) * sizeof(float));
  spectra_bytes_ = aligned(lines * static_cast<std::uint64_t>(plan_.length + 2) * sizeof(float));
  std::uint64_t workspace = 0;
  const int last = plan_.rows % slices_per_pass_;
  for (const int slices : {slices_per_pass_, last}) {
    if (slices == 0) continue;
    void* made = nullptr;
    std::uint64_t bytes = 0;
    const std::int64_t count = static_cast<std::int64_t>(plan_.views) * slices;
    if (const int error = fft_->plan_real(device_index, plan_.length, count, &made, &bytes); error != 0) {
      for (void* p : fft_plans_) fft_->destroy(p);
      throw Failure(ErrorCode::unsupported,
                    std::string(fft_->error_text(error)) + " (" + std::to_string(count) + " rows of " +
                        std::to_string(plan_.length) + ")",
                    "run this node on \"cpu\", or use fewer views or a smaller detector");
    }
    fft_plans_.push_back(made);
    workspace = std::max(workspace, bytes);
  }
  scratch_bytes_ = stack_bytes_ + padded_bytes_ + spectra_bytes_ + aligned(workspace);
}

FbpEngine::~FbpEngine() {
  for (void* p : fft_plans_) fft_->destroy(p);
}

/// All passes have the order that the first has, so that a slice's bits do not depend on the pass it falls into.
FbpStack FbpEngine::stack_of(float* memory, int slices) const {
  return variant_ != nullptr && slices_per_pass_ >= fbp_slices_worth_columns
             ? FbpStack::by_column(memory, plan_.columns, slices)
             : FbpStack::by_slice(memory, plan_.columns, slices);
}

std::string FbpEngine::method() const {
  if (variant_ == nullptr) return "reference";
  return std::string(variant_->name) +
         (stack_of(nullptr, 1).column_stride == 1 ? ", slice by slice" : ", slices together");
}

void FbpEngine::filter(const Launcher& launcher, const FbpLines& lines, const FbpStack& stack, char* behind) const {
  if (fft_ == nullptr) {
    const FbpFilter f{lines, plan_.views, stack, plan_.length, tables_.twiddles, tables_.response};
    if (const std::int64_t bad = fbp_filter(launcher, f, behind); bad >= 0)
      refuse_reading(bad, lines.projections[bad], plan_.rows, plan_.raw_columns);
    return;
  }
  auto* padded = reinterpret_cast<float*>(behind);
  auto* spectra = reinterpret_cast<float*>(behind + padded_bytes_);
  void* workspace = behind + padded_bytes_ + spectra_bytes_;
  void* const transform = stack.slices == slices_per_pass_ ? fft_plans_.front() : fft_plans_.back();
  const int length = static_cast<int>(plan_.length);
  const auto check = [&](int error) {
    if (error != 0)
      throw Failure(ErrorCode::device_lost, fft_->error_text(error),
                    "restart the program; if it stays, run on \"cpu\"");
  };
  launch(launcher, FbpWeightLines{lines, padded, stack.slices, length}, length, stack.slices, plan_.views);
  check(fft_->forward(transform, padded, spectra, workspace, launcher.stream));
  launch(launcher, FdkMultiplyResponse{spectra, tables_.response, length + 2, stack.slices}, length + 2, stack.slices,
         plan_.views);
  check(fft_->backward(transform, spectra, padded, workspace, launcher.stream));
  launch(launcher, FbpArrange{padded, stack, length}, stack.slice_stride, stack.slices, plan_.views);
  if (tables_.note != nullptr)
    launch(launcher, FilteredCheck{stack.at(0, 0, 0), stack.slice_stride, stack.view_stride, tables_.note, 0},
           stack.slices, 1, plan_.views);
}

void FbpEngine::run(const Launcher& launcher, const float* projections, float* image, float initial, void* scratch,
                    OnPass on_pass, void* user) const {
  const int nx = static_cast<int>(plan_.grid.nx), ny = static_cast<int>(plan_.grid.ny);
  for (int first = 0; first < plan_.rows; first += slices_per_pass_) {
    if (on_pass != nullptr) on_pass(user, static_cast<double>(first) / plan_.rows);
    const FbpStack stack = stack_of(static_cast<float*>(scratch), std::min(slices_per_pass_, plan_.rows - first));
    const FbpLines lines{projections,
                         tables_.weights,
                         plan_.raw_columns,
                         plan_.rows,
                         plan_.begin,
                         plan_.top_down ? plan_.rows - 1 - first : first,
                         plan_.top_down ? -1 : 1,
                         plan_.extension};
    filter(launcher, lines, stack, static_cast<char*>(scratch) + stack_bytes_);
    const FbpBackProject job{
        stack, tables_.pixels, plan_.views, plan_.beam, image + static_cast<std::int64_t>(first) * ny * nx, nx,
        ny,    initial};
    if (variant_ != nullptr)
      fbp_back_project_by(launcher, *variant_, job);
    else
      launch(launcher, job, nx, ny, stack.slices);
  }
}

}  // namespace isocenter::detail
