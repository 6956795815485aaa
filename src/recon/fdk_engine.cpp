#include "recon/fdk_engine.hpp"

#include <algorithm>
#include <isocenter/operator.hpp>

#include "recon/bad_reading.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

namespace {
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
}  // namespace

FdkEngine::FdkEngine(FdkPlan plan, const FftService* fft, std::int32_t device_index, int concurrency,
                     const FdkLimits& limits)
    : plan_(std::move(plan)), on_cpu_(fft == nullptr), limits_(limits) {
  ramp_.emplace(choose_passes(concurrency), plan_.response, fft, device_index, concurrency);
  work_bytes_ = work_bytes(ramp_->work_bytes(), concurrency);
}

/// What filtering and back projection need beside the stack. On the CPU they follow each other and share it.
std::uint64_t FdkEngine::work_bytes(std::uint64_t ramp_bytes, int concurrency) const {
  if (on_cpu_) return std::max(ramp_bytes, aligned(fdk_aligned_scratch(concurrency)));
  return aligned(ramp_bytes) + (limits_.on_host ? 2 * staged_bytes() : 0);
}

std::uint64_t FdkEngine::staged_bytes() const {
  return aligned(static_cast<std::uint64_t>(views_per_pass_) * static_cast<std::uint64_t>(staged_rows()) *
                 static_cast<std::uint64_t>(plan_.raw_columns) * sizeof(float));
}

float* FdkEngine::staged(char* work, std::int64_t turn) const {
  return reinterpret_cast<float*>(work + aligned(ramp_->work_bytes()) +
                                  static_cast<std::uint64_t>(turn % 2) * staged_bytes());
}

RampStage::Shape FdkEngine::choose_passes(int concurrency) {
  const std::int64_t block = limits_.block;
  const int most = !on_cpu_    ? fdk_views_per_pass_device
                   : block > 0 ? fdk_views_per_pass_streaming
                               : fdk_views_per_pass_cpu;
  for (std::size_t f = 0; f + 1 < plan_.frame_begin.size(); ++f)
    views_per_pass_ =
        std::max(views_per_pass_,
                 static_cast<int>(std::min<std::int64_t>(most, plan_.frame_begin[f + 1] - plan_.frame_begin[f])));
  const auto shape_now = [&] {
    RampStage::Shape shape{plan_.columns,           plan_.rows,
                           views_per_pass_,         plan_.length,
                           plan_.extension.columns, !plan_.rectification.empty(),
                           views_per_pass_,         plan_.end - plan_.begin};
    if (block > 0) shape.views = static_cast<int>(std::min<std::int64_t>(block, views_per_pass_));
    return shape;
  };
  const auto bytes_now = [&] {
    const RampStage::Shape shape = shape_now();
    return RampStage::stack_bytes_of(shape) +
           work_bytes(RampStage::work_bytes_of(shape, on_cpu_, concurrency), concurrency);
  };
  while (views_per_pass_ > 1 && bytes_now() > limits_.most_bytes) views_per_pass_ -= std::max(1, views_per_pass_ / 8);
  views_per_filter_ = shape_now().views;
  return shape_now();
}

FdkTables FdkEngine::host_tables() const {
  return {plan_.order.data(), plan_.weights.data(), plan_.matrices.data(),
          plan_.rectification.empty() ? nullptr : plan_.rectification.data(),
          plan_.redundancy.empty() ? nullptr : plan_.redundancy.data()};
}

FdkEngine::Pass FdkEngine::pass_at(std::int64_t first) const {
  const std::int64_t end = *std::upper_bound(plan_.frame_begin.begin(), plan_.frame_begin.end(), first);
  return {first, std::min<std::int64_t>(first + views_per_pass_, end)};
}

void FdkEngine::stage(const RunContext& context, const float* projections, const Pass& pass, float* to) const {
  const std::int64_t view = static_cast<std::int64_t>(plan_.raw_rows) * plan_.raw_columns;
  const std::int64_t floats = static_cast<std::int64_t>(staged_rows()) * plan_.raw_columns;
  const std::int64_t first_row = plan_.rectification.empty() ? tables_.first_row : 0;
  for (std::int64_t i = pass.begin; i < pass.end; ++i)
    context.copy(to + (i - pass.begin) * floats,
                 projections + plan_.order[static_cast<std::size_t>(i)] * view + first_row * plan_.raw_columns,
                 static_cast<std::uint64_t>(floats) * sizeof(float), ISOCENTER_STREAM_BESIDE);
}

void FdkEngine::run(const Launcher& launcher, const float* projections, float* volume, float initial, void* scratch,
                    const FdkWatch& watch, const RunContext* context) const {
  const std::int64_t voxels = plan_.grid.nx * plan_.grid.ny * plan_.grid.nz;
  const auto views = static_cast<std::int64_t>(plan_.order.size());
  char* const work = static_cast<char*>(scratch) + stack_bytes();
  const bool streams = limits_.on_host && context != nullptr;
  std::int64_t turn = 0;
  expect_readings(context);
  if (streams) stage(*context, projections, pass_at(0), staged(work, 0));
  for (std::int64_t f = 0; f < plan_.frames(); ++f) {
    const std::int64_t begin = plan_.frame_begin[static_cast<std::size_t>(f)];
    const std::int64_t end = plan_.frame_begin[static_cast<std::size_t>(f) + 1];
    for (std::int64_t first = begin; first < end; first += views_per_pass_, ++turn) {
      if (watch.progress != nullptr)
        watch.progress(watch.user, static_cast<double>(first) / static_cast<double>(views));
      const Pass pass = pass_at(first);
      if (streams) {
        context->follow(ISOCENTER_STREAM_MAIN);
        context->follow(ISOCENTER_STREAM_BESIDE);  // the pass before the last is done with its place
        if (pass.end < views) stage(*context, projections, pass_at(pass.end), staged(work, turn + 1));
        filter_staged(launcher, staged(work, turn), pass, scratch, work);
      } else {
        filter(launcher, projections, 0, first, static_cast<int>(pass.end - first), scratch, 0, work);
      }
      back_project(launcher, pass, volume + f * voxels, initial, first > begin, scratch, work, watch);
    }
  }
  check_readings(context, projections, 0);
}

void FdkEngine::expect_readings(const RunContext* context) const {
  if (!on_cpu_ && context != nullptr) clear_note(*context, tables_.note);
}

void FdkEngine::check_readings(const RunContext* context, const float* projections, std::int64_t origin) const {
  if (on_cpu_ || context == nullptr) return;
  const std::int64_t entry = read_note(*context, tables_.note);
  if (entry == no_reading) return;
  const std::int64_t view = plan_.order[static_cast<std::size_t>(entry)];
  const std::int64_t elements = static_cast<std::int64_t>(plan_.raw_rows) * plan_.raw_columns;
  refuse_reading_among(*context, projections + (view - origin) * elements, view, 1, plan_.raw_rows, plan_.raw_columns);
}

FdkEngine::Pass FdkEngine::streaming_pass_of(std::int64_t view) const {
  const auto all = static_cast<std::int64_t>(plan_.order.size());
  const std::int64_t last = all - std::min(views_per_pass_, on_cpu_ ? fdk_last_views_cpu : views_per_pass_);
  if (view >= last) return {std::max<std::int64_t>(last, 0), all};
  const std::int64_t end = last - (last - view - 1) / views_per_pass_ * views_per_pass_;
  return {std::max<std::int64_t>(end - views_per_pass_, 0), end};
}

void FdkEngine::add(const Launcher& launcher, const float* projections, std::int64_t first, float* volume,
                    float initial, void* stack, void* scratch, const FdkWatch& watch, const RunContext* context) const {
  expect_readings(context);
  char* const work = static_cast<char*>(scratch);
  const std::int64_t behind = first + limits_.block;
  for (std::int64_t view = first; view < behind;) {
    const Pass pass = streaming_pass_of(view);
    const int count = static_cast<int>(std::min<std::int64_t>(std::min(pass.end, behind) - view, views_per_filter_));
    filter(launcher, projections, first, view, count, stack, view - pass.begin, work);
    view += count;
    if (view < pass.end) continue;
    if (watch.progress != nullptr)
      watch.progress(watch.user, static_cast<double>(view - first) / static_cast<double>(limits_.block));
    back_project(launcher, pass, volume, initial, pass.begin > 0, stack, work, watch);
  }
  check_readings(context, projections, first);
}

void FdkEngine::filter(const Launcher& launcher, const float* projections, std::int64_t origin, std::int64_t first,
                       int count, void* stack, std::int64_t slot, char* work) const {
  FdkRows rows{projections, tables_.order + first, nullptr, plan_.raw_columns, plan_.raw_rows};
  rows.first = origin;
  rows.first_row = tables_.first_row;
  run_filter(launcher, rows, first, count, stack, slot, work);
}

void FdkEngine::filter_staged(const Launcher& launcher, const float* views, const Pass& pass, void* stack,
                              char* work) const {
  const FdkRows rows{views, tables_.places, nullptr, plan_.raw_columns, staged_rows()};
  run_filter(launcher, rows, pass.begin, static_cast<int>(pass.end - pass.begin), stack, 0, work);
}

void FdkEngine::run_filter(const Launcher& launcher, FdkRows rows, std::int64_t first, int count, void* stack_memory,
                           std::int64_t slot, char* work) const {
  auto* const stack = static_cast<float*>(stack_memory) + slot * ramp_->stack(nullptr).view_stride;
  rows.weights = tables_.weights + first;
  rows.columns = plan_.columns;
  rows.begin = plan_.begin;
  rows.end = plan_.end;
  if (tables_.rectification != nullptr) {
    rows.rectification = tables_.rectification + first;
    rows.first_row = 0;
  }
  if (tables_.redundancy != nullptr) {
    rows.redundancy = tables_.redundancy + first * plan_.columns;
    rows.redundancy_stride = plan_.columns;
  }
  rows.extension = plan_.extension;
  if (const std::int64_t bad = ramp_->run(launcher, rows, count, stack, work); bad >= 0)
    refuse_reading(bad,
                   rows.projections[bad - rows.first * static_cast<std::int64_t>(rows.raw_columns) * rows.raw_rows],
                   plan_.raw_rows, plan_.raw_columns);
  if (!launcher.on_cpu() && tables_.note != nullptr)
    launch(launcher, FilteredCheck::of(ramp_->stack(stack), tables_.note, first), plan_.rows, 1, count);
}

void FdkEngine::back_project(const Launcher& launcher, const Pass& pass, float* frame, float initial, bool goes_on,
                             void* stack, char* work, const FdkWatch& watch) const {
  const FdkBackProject job{FdkStack::describe(static_cast<float*>(stack), plan_.columns, plan_.rows),
                           tables_.matrices + pass.begin,
                           static_cast<int>(pass.end - pass.begin),
                           frame,
                           static_cast<int>(plan_.grid.nx),
                           static_cast<int>(plan_.grid.ny),
                           static_cast<int>(plan_.grid.nz),
                           initial,
                           goes_on,
                           plan_.column_axis};
  const bool tuned = plan_.aligned && !launcher.reference_only;
  if (tuned && on_cpu_ && fdk_back_project_aligned(launcher, job, work, {watch.stop, watch.user})) return;
  if (tuned && !launcher.on_cpu())
    return launch_by_name(launcher, "recon/fdk_back_project_columns", &job, job.nx, job.ny, job.nz);
  launch(launcher, job, job.nx, job.ny, job.nz);
}

}  // namespace isocenter::detail
