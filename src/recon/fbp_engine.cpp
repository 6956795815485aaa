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
                     const FbpVariant* variant, const FbpLimits& limits)
    : plan_(std::move(plan)),
      fft_(fft),
      variant_(fft == nullptr ? variant : nullptr),
      on_host_(limits.on_host),
      slices_(limits.slices > 0 ? limits.slices : plan_.rows) {
  choose_pass(limits, concurrency);
  if (fft_ == nullptr) {
    response_.resize(static_cast<std::size_t>(plan_.length));
    for (std::int64_t k = 0; k < plan_.length; ++k)
      response_[static_cast<std::size_t>(k)] =
          static_cast<float>(plan_.response[static_cast<std::size_t>(fft_frequency_at(k, plan_.length))]);
    twiddles_.resize(static_cast<std::size_t>(fft_twiddle_count(plan_.length)));
    fft_fill_twiddles(plan_.length, twiddles_.data());
    return;
  }
  for (std::int64_t k = 0; k <= plan_.length / 2; ++k)
    response_.push_back(static_cast<float>(plan_.response[static_cast<std::size_t>(k)]));
  std::uint64_t workspace = 0;
  const int last = slices_ % slices_per_pass_;
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
  workspace_bytes_ = aligned(workspace);
  scratch_bytes_ = stack_bytes_ + padded_bytes_ + spectra_bytes_ + workspace_bytes_ +
                   (on_host_ ? 2 * (staged_bytes() + image_bytes()) : 0);
}

/// The transform's workspace is taken to be as large as the spectra.
void FbpEngine::choose_pass(const FbpLimits& limits, int concurrency) {
  const auto views = static_cast<std::uint64_t>(plan_.views), length = static_cast<std::uint64_t>(plan_.length);
  for (int most = FbpStack::slices_together; most > 0; --most) {
    const int passes = (slices_ + most - 1) / most;
    slices_per_pass_ = (slices_ + passes - 1) / passes;
    stack_bytes_ =
        aligned(views * static_cast<std::uint64_t>(stack_of(nullptr, slices_per_pass_).view_stride) * sizeof(float));
    if (fft_ == nullptr) {
      scratch_bytes_ =
          stack_bytes_ + aligned(fbp_filter_scratch(plan_.length) * static_cast<std::uint64_t>(concurrency));
    } else {
      const std::uint64_t lines = views * static_cast<std::uint64_t>(slices_per_pass_);
      padded_bytes_ = aligned(lines * length * sizeof(float));
      spectra_bytes_ = aligned(lines * (length + 2) * sizeof(float));
      scratch_bytes_ =
          stack_bytes_ + padded_bytes_ + 2 * spectra_bytes_ + (on_host_ ? 2 * (staged_bytes() + image_bytes()) : 0);
    }
    if (scratch_bytes_ <= limits.most_bytes) return;
  }
}

std::uint64_t FbpEngine::staged_bytes() const {
  return aligned(static_cast<std::uint64_t>(plan_.views) * static_cast<std::uint64_t>(slices_per_pass_) *
                 static_cast<std::uint64_t>(plan_.raw_columns) * sizeof(float));
}
std::uint64_t FbpEngine::image_bytes() const {
  return aligned(static_cast<std::uint64_t>(slices_per_pass_) *
                 static_cast<std::uint64_t>(plan_.grid.nx * plan_.grid.ny) * sizeof(float));
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
                    OnPass on_pass, void* user, const RunContext* context, int first_slice) const {
  if (on_host_ && context != nullptr)
    return run_from_host(launcher, projections, image, initial, scratch, on_pass, user, *context, first_slice);
  for (int done = 0; done < slices_; done += slices_per_pass_) {
    if (on_pass != nullptr) on_pass(user, static_cast<double>(done) / slices_);
    const Pass pass = pass_after(done, first_slice);
    run_pass(launcher, lines_of(projections, plan_.rows, row_of(pass.first)), pass,
             image + done * plan_.grid.nx * plan_.grid.ny, initial, scratch);
  }
}

void FbpEngine::run_pass(const Launcher& launcher, const FbpLines& lines, const Pass& pass, float* image, float initial,
                         void* scratch) const {
  const int nx = static_cast<int>(plan_.grid.nx), ny = static_cast<int>(plan_.grid.ny);
  const FbpStack stack = stack_of(static_cast<float*>(scratch), pass.slices);
  filter(launcher, lines, stack, static_cast<char*>(scratch) + stack_bytes_);
  const FbpBackProject job{stack, tables_.pixels, plan_.views, plan_.beam, image, nx, ny, initial};
  if (variant_ != nullptr)
    fbp_back_project_by(launcher, *variant_, job);
  else
    launch(launcher, job, nx, ny, stack.slices);
}

/// The rows of the next pass come, and the slices of the last one go, on the stream beside while a pass is worked on.
void FbpEngine::run_from_host(const Launcher& launcher, const float* projections, float* image, float initial,
                              void* scratch, OnPass on_pass, void* user, const RunContext& context,
                              int first_slice) const {
  char* const rooms = static_cast<char*>(scratch) + stack_bytes_ + padded_bytes_ + spectra_bytes_ + workspace_bytes_;
  const auto staged = [&](int turn) {
    return reinterpret_cast<float*>(rooms + static_cast<std::uint64_t>(turn % 2) * staged_bytes());
  };
  const auto made = [&](int turn) {
    return reinterpret_cast<float*>(rooms + 2 * staged_bytes() + static_cast<std::uint64_t>(turn % 2) * image_bytes());
  };
  const std::int64_t slice = plan_.grid.nx * plan_.grid.ny;
  stage(context, projections, pass_after(0, first_slice), staged(0));
  context.follow(ISOCENTER_STREAM_MAIN);
  for (int done = 0, turn = 0; done < slices_; done += slices_per_pass_, ++turn) {
    if (on_pass != nullptr) on_pass(user, static_cast<double>(done) / slices_);
    const Pass pass = pass_after(done, first_slice);
    const int next = done + pass.slices;
    if (next < slices_) stage(context, projections, pass_after(next, first_slice), staged(turn + 1));
    run_pass(launcher, lines_of(staged(turn), pass.slices, plan_.top_down ? pass.slices - 1 : 0), pass, made(turn),
             initial, scratch);
    // The next pass waits for its rows, and for the slices that the last one left in its place.
    context.follow(ISOCENTER_STREAM_MAIN);
    context.follow(ISOCENTER_STREAM_BESIDE);
    context.copy(image + done * slice, made(turn), static_cast<std::uint64_t>(pass.slices * slice) * sizeof(float),
                 ISOCENTER_STREAM_BESIDE);
  }
  context.follow(ISOCENTER_STREAM_MAIN);  // the run has ended when the last slices are there
}

void FbpEngine::stage(const RunContext& context, const float* projections, const Pass& pass, float* to) const {
  const std::int64_t rows = static_cast<std::int64_t>(pass.slices) * plan_.raw_columns;
  const std::int64_t first = std::min(row_of(pass.first), row_of(pass.first + pass.slices - 1));
  for (int n = 0; n < plan_.views; ++n)
    context.copy(to + n * rows, projections + (static_cast<std::int64_t>(n) * plan_.rows + first) * plan_.raw_columns,
                 static_cast<std::uint64_t>(rows) * sizeof(float), ISOCENTER_STREAM_BESIDE);
}

}  // namespace isocenter::detail
