#include "recon/helical_stream.hpp"

#include <algorithm>

#include "recon/bad_reading.hpp"
#include "recon/reading_check.hpp"
#include "recon/vector_kernels.hpp"

namespace isocenter::detail {

bool HelicalStream::size(const HelicalEngine& engine, std::int64_t first_slice, std::int64_t height, int directions,
                         int slices) {
  first_slice_ = first_slice;
  height_ = height;
  directions_ = directions;
  views_ = HelicalViews::all(nullptr, engine.helix.views);
  engine.schedule.size_rings(directions, engine.largest_shift(), &views_);
  steps_ = HelicalSteps(engine.schedule, first_slice, height, directions, slices, engine.farthest_shift(), views_);
  views_.held = std::min(views_.window + steps_.largest_advance(), views_.count);
  return views_.held * engine.elements() <= INT32_MAX;
}

void HelicalStream::allocate(PlanContext& plan, const HelicalEngine& engine) {
  ring_ = plan.allocate<float>(ring_bytes(engine) / sizeof(float), "views that wait for others");
  kept_ = plan.allocate<char>(engine.stage->stack_bytes(), "filtered views that slices wait for");
  if (!plan.on_cpu()) note_ = plan.allocate<std::int64_t>(2, "the first reading that cannot be filtered");
}

std::string HelicalStream::text() const {
  return "filtered views of " + std::to_string(steps_.turns_held()) + " half turns, and " +
         std::to_string(views_.held) + " of " + std::to_string(views_.count) + " views";
}

void HelicalStream::add(const RunContext& run, const HelicalEngine& engine, const Block& block, float* volume) {
  const Launcher launcher = launcher_of(run);
  if (block.begin == 0) {
    next_step_ = 0;
    next_view_ = checked_view_ = 0;
    fill(launcher, volume, engine.grid.nx * engine.grid.ny * height_, engine.initial);
  }
  if (note_ != nullptr) clear_note(run, note_), clear_note(run, note_ + 1);
  const std::vector<HelicalStep>& steps = steps_.list();
  bool goes_on = next_step_ < steps.size();
  if (goes_on) bring(run, engine, block, steps[next_step_]);
  while (goes_on) {
    run.check_cancelled();
    const HelicalStep& step = steps[next_step_];
    const int needed = step.first_view + views_.window - block.begin, views = block.behind - block.begin;
    run.follow(ISOCENTER_STREAM_MAIN);
    check_brought(launcher, engine);
    if (needed > views) break;
    run.progress(std::max(needed, 0) / (views + 1.0));
    run.follow(ISOCENTER_STREAM_BESIDE);  // the step before is done with the views that leave the ring
    goes_on = ++next_step_ < steps.size();
    if (goes_on) bring(run, engine, block, steps[next_step_]);
    if (take(run, launcher, engine, step, volume) >= 0) refuse_reading_of(run, engine, block, step);
  }
  if (note_ != nullptr) refuse_noted(run, engine, block);
}

/// The views of the block that a step needs and that are not in the ring, on their way there.
void HelicalStream::bring(const RunContext& run, const HelicalEngine& engine, const Block& block,
                          const HelicalStep& step) {
  if (next_view_ < step.first_view) next_view_ = checked_view_ = step.first_view;  // no step needs those before
  const int behind = std::min(step.first_view + views_.window, block.behind);
  while (next_view_ < behind) {
    const int place = next_view_ % views_.held, count = std::min(behind - next_view_, views_.held - place);
    run.copy(ring_ + place * engine.elements(), block.readings + (next_view_ - block.begin) * engine.elements(),
             static_cast<std::uint64_t>(count) * engine.view_bytes(), ISOCENTER_STREAM_BESIDE);
    next_view_ += count;
  }
}

/// Looks at the views that have come to the ring of a device. On the CPU the filter does.
void HelicalStream::check_brought(const Launcher& launcher, const HelicalEngine& engine) {
  while (note_ != nullptr && checked_view_ < next_view_) {
    const int place = checked_view_ % views_.held;
    const int count = std::min(next_view_ - checked_view_, views_.held - place);
    ReadingCheck check{ring_ + place * engine.elements(), note_, engine.helix.columns, engine.helix.rows};
    check.base = checked_view_ * engine.elements();
    launch(launcher, check, engine.helix.columns, engine.helix.rows, count);
    checked_view_ += count;
  }
  checked_view_ = next_view_;
}

/// Filters a step's directions and sums the slices that are ready over them. As RampStage::run.
std::int64_t HelicalStream::take(const RunContext& run, const Launcher& launcher, const HelicalEngine& engine,
                                 const HelicalStep& step, float* volume) const {
  char* const scratch = run.scratch<char>();
  char* const work = scratch + engine.parallel_bytes();
  const int held = steps_.turns_held(), directions = engine.schedule.directions();
  const FdkStack all = engine.stage->stack(kept_);
  float* const filtered =
      all.data + (static_cast<std::int64_t>(step.turn % held) * directions + step.direction) * all.view_stride;
  HelicalViews views = views_;
  views.readings = ring_;
  const std::int64_t bad = engine.filter(launcher, views, engine.turns(step.direction, step.turn, 1), step.directions,
                                         reinterpret_cast<float*>(scratch), filtered, work);
  if (bad >= 0) return bad;
  if (note_ != nullptr)
    launch(launcher,
           FilteredCheck::of(engine.stage->stack(filtered), note_ + 1, (&step - steps_.list().data()) * directions_),
           engine.helix.rows, 1, step.directions);
  if (step.slices == 0) return -1;
  engine.back_project(run, launcher,
                      {all.data + step.direction * all.view_stride,
                       {1, directions, step.first_turn % held, held},
                       step.direction,
                       step.directions,
                       step.first_turn,
                       step.turn - step.first_turn + 1,
                       first_slice_ + step.first_slice,
                       step.slices,
                       true},
                      volume + step.first_slice * engine.grid.nx * engine.grid.ny, work);
  return -1;
}

/// Several views are in each parallel one: those of the step, in the block or still in the ring.
void HelicalStream::refuse_reading_of(const RunContext& run, const HelicalEngine& engine, const Block& block,
                                      const HelicalStep& step) const {
  refuse_reading_among(run, step.first_view, views_.window, engine.helix.rows, engine.helix.columns,
                       [&](std::int64_t view) -> const float* {
                         if (view >= block.begin && view < block.behind)
                           return block.readings + (view - block.begin) * engine.elements();
                         return view >= next_view_ - views_.held && view < next_view_
                                    ? ring_ + view % views_.held * engine.elements()
                                    : nullptr;
                       });
}

/// On a device, when it has done with a block: a reading of the block, or a filtered view.
void HelicalStream::refuse_noted(const RunContext& run, const HelicalEngine& engine, const Block& block) const {
  if (const std::int64_t place = read_note(run, note_); place != no_reading)
    refuse_reading_among(run, block.readings + (place / engine.elements() - block.begin) * engine.elements(),
                         place / engine.elements(), 1, engine.helix.rows, engine.helix.columns);
  if (const std::int64_t entry = read_note(run, note_ + 1); entry != no_reading)
    refuse_reading_of(run, engine, block, steps_.list()[static_cast<std::size_t>(entry / directions_)]);
}

}  // namespace isocenter::detail
