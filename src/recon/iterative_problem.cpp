#include "recon/iterative_problem.hpp"

#include <algorithm>
#include <cmath>

#include "recon/correction_input.hpp"
#include "recon/mask_copy.hpp"
#include "recon/reading_check.hpp"

namespace isocenter::detail {

namespace {
/// A processor's core takes about a second for them.
constexpr std::int64_t samples_between_looks = std::int64_t{1} << 30U;
}  // namespace

void IterativeProblem::begin(const RunContext& run) {
  run_ = &run;
  launcher_ = launcher_of(run);
  done_ = 0;
  steps_ = false;
  require_planned_views(run.input("input"), planned_views_);
  scratch_ = run.scratch<float>();
  work_ = at(room_.work);
  if (on_host_) {
    host_->use(run, launcher_, &*slabs_, projector_->lines(), run.scratch());
    launcher_ = host_launcher(launcher_);
    scratch_ = run.host_scratch<float>();
    scalars_ = reinterpret_cast<double*>(at(room_.work));
    host_->may_stop(others_ == nullptr);
  } else if (slabs_) {
    slabs_->use(projector_->lines(), work_, others_ == nullptr ? run_ : nullptr);
  }
  if (is_between()) between_ = run.host_scratch<float>();
  check_values();
  if (slabs_) {
    first_volume_ = run.output("output").tensor("voxels").as<float>();
  } else {
    take_views(all(), at(room_.measured));
  }
  if (has_mask_) take_mask();
}

/// Squares of readings, and of what voxels and sums of them become, stay within float32.
constexpr float largest_iterated = 1e15F;

/// A value that is no number would spread over the whole volume without a trace.
void IterativeProblem::check_values() {
  const TensorView t = run_->input("input").tensor("views");
  const auto* values = t.as<float>();
  const int columns = static_cast<int>(t.extent('u')), rows = static_cast<int>(t.extent('v'));
  ReadingCheck check{values, &bad_reading_, columns, rows};
  check.least = setup_.refuses_negative ? 0.0F : -largest_iterated;
  check.most = largest_iterated;
  bad_reading_ = no_reading;
  const bool on_device = !launcher_.on_cpu();
  if (on_device) {
    check.first = device_bad_reading_;
    run_->copy(device_bad_reading_, &bad_reading_, sizeof bad_reading_);
  }
  launch(launcher_, check, columns, rows, views_);
  if (on_device) {
    run_->copy(&bad_reading_, device_bad_reading_, sizeof bad_reading_);
    run_->wait();
  }
  if (bad_reading_ == no_reading) return;
  const std::int64_t row = bad_reading_ / columns;
  float value = 0.0F;
  run_->copy(&value, values + bad_reading_, sizeof value);
  run_->wait();
  throw Failure(ErrorCode::bad_data,
                "the projections hold " + text_of(value) + " at view " + std::to_string(row / rows) + ", row " +
                    std::to_string(row % rows) + ", column " + std::to_string(bad_reading_ % columns) + ", and " +
                    setup_.method + " takes " +
                    (setup_.refuses_negative ? "numbers from 0 on, up to " : "finite numbers of a magnitude up to ") +
                    text_of(largest_iterated),
                "repair dead and unexposed detector elements before this node");
}

void IterativeProblem::take_mask() {
  const PayloadRef payload = run_->input("mask");
  const bool labels = payload.kind() == ISOCENTER_SEGMENTATION;
  const std::int64_t dense[3] = {1, share_.nx, slice()};
  const ProjectorVolume& v = projector_->plan().volume;
  const int axes[3] = {slabs_ ? 0 : v.fast, slabs_ ? 1 : v.middle, slabs_ ? 2 : v.slow};
  const std::int64_t* to = slabs_ ? dense : v.stride;
  float* mask = at(room_.mask);
  fill(launcher_, mask, volume_floats(), 0.0F);
  const MaskCopy copy{labels ? payload.tensor("labels").as<std::uint8_t>() + share_offset() : nullptr,
                      labels ? nullptr : payload.tensor("voxels").as<float>() + share_offset(),
                      mask,
                      {dense[axes[0]], dense[axes[1]], dense[axes[2]]},
                      {to[axes[0]], to[axes[1]], to[axes[2]]}};
  launch(launcher_, copy, v.n[axes[0]], v.n[axes[1]], v.n[axes[2]]);
  sum_voxels(mask, 0);
  double voxels = 0.0;
  copy_now(&voxels, scalar(0), sizeof voxels);
  if (voxels == 0.0)
    throw Failure(ErrorCode::bad_data, "input 'mask' is 0 everywhere, so that nothing is to be reconstructed",
                  "give a mask that is not 0 where the object is, or none");
}

void IterativeProblem::end(float* x) {
  const ValueMap map = from_attenuation(setup_.unit, setup_.mu_water);
  auto* voxels = run_->output("output").tensor("voxels").as<float>();
  if (slabs_)
    copy_voxels(x, voxels, map);
  else
    projector_->give_volume(launcher_, x, voxels, map);
  if (others_ != nullptr) run_->output("output").set_geometry(share_.geometry);
  // What was not reached keeps the last residual.
  for (std::size_t k = static_cast<std::size_t>(done_); k < history_.size(); ++k)
    history_[k] = done_ > 0 ? history_[static_cast<std::size_t>(done_ - 1)] : 1.0;
  run_->metric("relative_residual", history_);
  run_->metric("iterations", static_cast<double>(done_));
}

TvGrid IterativeProblem::touching() const {
  const ProjectorVolume& v = projector_->plan().volume;
  const int axes[3] = {slabs_ ? 0 : v.fast, slabs_ ? 1 : v.middle, slabs_ ? 2 : v.slow};
  const std::int64_t dense[3] = {1, share_.nx, slice()};
  const double* spacing = geometry_.spacing_mm;
  const double least = std::min({spacing[0], spacing[1], spacing[2]});
  TvGrid grid{};
  for (int k = 0; k < 3; ++k) {
    grid.n[k] = v.n[axes[k]];
    grid.stride[k] = slabs_ ? dense[k] : v.stride[axes[k]];
    grid.per_step[k] = static_cast<float>(least / spacing[axes[k]]);
  }
  grid.component = volume_stride();
  grid.below = touches() && others_->rank > 0 ? 1 : 0;
  grid.above = touches() && others_->rank + 1 < others_->ranks ? 1 : 0;
  return grid;
}

float* IterativeProblem::volume(int i) const {
  if (!slabs_) return at(room_.volumes) + i * volume_stride();
  return i == 0 ? first_volume_ : at(room_.volumes) + (i - 1) * volume_stride();
}

Places IterativeProblem::subset(int s) const {
  const std::int64_t first = first_[static_cast<std::size_t>(s)];
  return {first, static_cast<int>(first_[static_cast<std::size_t>(s) + 1] - first), first};
}

Places IterativeProblem::group(const Places& places, int g) const {
  const int begin = g * group_views();
  return {places.first + begin, std::min(group_views(), places.count - begin), places.begin};
}

const float* IterativeProblem::measured(const Places& group) const {
  if (!slabs_) return at(room_.measured) + offset(group);
  take_views(group, at(room_.measured));
  return at(room_.measured);
}

float* IterativeProblem::projected(const Places& places) const {
  if (arrays_.subset_stacks == 0) return at(room_.projected);
  return subset_stack(0) + projector_->view_floats(places.first - places.begin);
}

void IterativeProblem::take_views(const Places& places, float* to) const {
  const auto* values = run_->input("input").tensor("views").as<float>();
  const std::int64_t view = static_cast<std::int64_t>(projector_->plan().rows) * projector_->plan().columns;
  for (std::int64_t n = 0; n < places.count; ++n)
    projector_->take_views(launcher_, values + order_[static_cast<std::size_t>(places.first + n)] * view,
                           to + projector_->view_floats(n), 1);
}

void IterativeProblem::forward(const Places& places, const float* x, float* out) const {
  const std::int32_t* order = device_order_ + places.first;
  const int step = views_between_looks(places.count);
  if (host_)
    host_->forward(x, order, places.count, out);
  else if (slabs_)
    slabs_->forward(launcher_, x, order, places.count, out);
  else
    for (int begin = 0; begin < places.count && !is_left(); begin += step)
      projector_->forward(launcher_, x, order + begin, std::min(step, places.count - begin),
                          out + projector_->view_floats(begin), work_);
  add_up(out, floats(places));
}

int IterativeProblem::views_between_looks(int count) const {
  if (!launcher_.on_cpu()) return count;  // which is not waited for
  const ProjectorPlan& p = projector_->plan();
  const std::int64_t planes = std::max({p.volume.n[0], p.volume.n[1], p.volume.n[2]});
  const std::int64_t samples = static_cast<std::int64_t>(p.rows) * p.columns * planes;
  const std::int64_t views = std::max<std::int64_t>(samples_between_looks / samples, Projector::views_between_looks);
  return static_cast<int>(std::min<std::int64_t>(views, count));
}

void IterativeProblem::forward_ones(const Places& places, float* out) const {
  if (!slabs_) {
    one_volume(slab_buffer(0));
    return forward(places, slab_buffer(0), out);
  }
  forward(places, mask(), out);  // without a mask of ones
}

void IterativeProblem::back(const Places& places, const float* in, int slab, float* to, bool goes_on) const {
  const std::int32_t* order = device_order_ + places.first;
  if (host_) return host_->back(projector_->plan(), in, order, places.first, places.count, slab, to, goes_on);
  if (slabs_ && voxel_driven_)
    return voxel_driven_->back_slab(launcher_, projector_->plan(), in, places.first, places.count, slab,
                                    slabs_->height_of(slab), to,
                                    static_cast<char*>(work_) + slabs_->work_bytes(launcher_), goes_on);
  if (slabs_) return slabs_->back(launcher_, in, order, places.count, slab, to, goes_on);
  if (voxel_driven_) return voxel_driven_->back(launcher_, *projector_, in, places.first, places.count, to, work_);
  const int step = views_between_looks(places.count);
  for (int begin = 0; begin < places.count && !is_left(); begin += step)
    projector_->back(launcher_, in + projector_->view_floats(begin), order + begin,
                     std::min(step, places.count - begin), to, work_, goes_on || begin > 0);
}

void IterativeProblem::back(const Places& places, const float* in, float* x, bool goes_on) const {
  for (int slab = 0; slab < slabs() && !is_left(); ++slab) back(places, in, slab, x + slab_offset(slab), goes_on);
}

void IterativeProblem::step_slab(int slab) {
  steps_ = slab + 1 < slabs();
  if (slabs_) slabs_->may_stop(!steps_);
  if (host_) host_->may_stop(!steps_ && others_ == nullptr);
}

void IterativeProblem::back_ones(const Places& places, int slab, float* to) const {
  if (!slabs_) {
    projector_->fill_views(launcher_, subset_stack(0), places.count, 1.0F);
    return back(places, subset_stack(0), slab, to);
  }
  if (host_) return back(places, nullptr, slab, to);
  const float* ones = slabs_->ones(launcher_, std::min(places.count, slabs_->views()));
  for (int g = 0; g < groups(places); ++g) back(group(places, g), ones, slab, to, g > 0);
}

void IterativeProblem::fill_voxels(float* x, float value) const {
  if (slabs_)
    fill(launcher_, x, volume_floats(), value);
  else
    projector_->fill_volume(launcher_, x, value);
  apply_mask(x);
}

void IterativeProblem::apply_mask(float* x) const {
  if (has_mask_) launch_flat(launcher_, PointwiseKernel{x, x, mask(), Pointwise::multiply}, volume_floats());
}

void IterativeProblem::take_start(float* x, float value) const {
  if (!has("start")) return fill_voxels(x, value);
  take("start", x);
  apply_mask(x);
}

void IterativeProblem::take(const char* port, float* x) const {
  const float* voxels = run_->input(port).tensor("voxels").as<float>() + share_offset();
  const ValueMap map = to_attenuation(setup_.unit, setup_.mu_water);
  if (slabs_)
    copy_voxels(voxels, x, map);
  else
    projector_->take_volume(launcher_, voxels, x, map);
}

void IterativeProblem::copy_voxels(const float* from, float* to, ValueMap map) const {
  const auto nx = static_cast<std::int32_t>(share_.nx), ny = static_cast<std::int32_t>(share_.ny);
  const ProjectorCopy copy{from, to, slice(), slice(), 1, nx, nx, nx, map.scale, map.shift};
  launch(launcher_, copy, nx, ny, static_cast<int>(share_.nz));
}

void IterativeProblem::sum(const float* a, const float* b, std::int64_t n, int scalar_place, bool goes_on) const {
  reduce(launcher_, a, b, n, scalars_ + iterative_scalars, scalar(scalar_place), goes_on);
}

void IterativeProblem::sum_measured(int scalar_place) const {
  for (int g = 0; g < groups(all()); ++g) {
    const Places places = group(all(), g);
    const float* b = measured(places);
    sum(b, b, floats(places), scalar_place, g > 0);
  }
}

void IterativeProblem::sum_voxels(const float* a, int scalar_place) const {
  sum(a, a, volume_floats(), scalar_place);
  add_up(scalar(scalar_place), 1);
}

void IterativeProblem::largest_voxel(const float* a, int scalar_place) const {
  sum(a, nullptr, volume_floats(), scalar_place);
  if (others_ == nullptr) return;
  std::fill(of_ranks_.begin(), of_ranks_.end(), 0.0);
  double& own = of_ranks_[static_cast<std::size_t>(others_->rank)];
  copy_now(&own, scalar(scalar_place), sizeof own);
  add_up_on_host(of_ranks_.data(), others_->ranks);
  const double largest = *std::max_element(of_ranks_.begin(), of_ranks_.end());
  copy_now(scalar(scalar_place), &largest, sizeof largest);
}

bool IterativeProblem::go_on(const double* residual, const double* reference) {
  ++done_;
  run_->progress(static_cast<double>(done_) / setup_.iterations);
  double told[iterative_scalars];
  if (!launcher_.on_cpu()) {
    run_->copy(told, scalars_, sizeof told);
    run_->wait();
    residual = told + (residual - scalars_);
    reference = told + (reference - scalars_);
  }
  double now = *reference > 0.0 ? std::sqrt(*residual / *reference) : 0.0;
  take_from_first(&now);
  const double before = done_ > 1 ? history_[static_cast<std::size_t>(done_ - 2)] : 0.0;
  history_[static_cast<std::size_t>(done_ - 1)] = now;
  if (done_ > 1 && setup_.stop_at_change > 0.0 && std::fabs(before - now) <= setup_.stop_at_change * before)
    return false;
  return done_ < setup_.iterations && !run_->cancelled();
}

}  // namespace isocenter::detail
