#include "recon/iterative_problem.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "core/volume_input.hpp"
#include "recon/mask_copy.hpp"
#include "recon/slab_cut.hpp"

namespace isocenter::detail {

std::vector<int> subset_order(int subsets) {
  const unsigned bits = static_cast<unsigned>(std::bit_width(static_cast<unsigned>(subsets - 1)));
  std::vector<int> order;
  for (unsigned i = 0; i < (1U << bits); ++i) {
    unsigned reversed = 0;
    for (unsigned b = 0; b < bits; ++b) reversed |= ((i >> b) & 1U) << (bits - 1 - b);
    if (static_cast<int>(reversed) < subsets) order.push_back(static_cast<int>(reversed));
  }
  return order;
}

void IterativeProblem::plan(PlanContext& plan, const IterativeSetup& setup, const VolumeGrid& grid,
                            const Acquisition& scan, int volumes, int stacks) {
  setup_ = setup;
  grid_ = grid;
  geometry_ = grid.geometry;
  views_ = static_cast<int>(scan.views.size());
  if (setup.subsets > views_)
    throw Failure(ErrorCode::invalid_argument,
                  "subsets = " + std::to_string(setup.subsets) + ", and there are " + std::to_string(views_) + " views",
                  "use as many subsets as views at most");
  if (!plan.on_cpu() && setup.stop_at_change > 0.0)
    throw Failure(ErrorCode::unsupported,
                  "stop_at_change = " + std::to_string(setup.stop_at_change) + " on device '" + plan.device().name +
                      "', where iterations are enqueued without waiting for their residual",
                  "set it to 0 and choose the number of iterations, or run this node on \"cpu\"");
  for (const AcquisitionWarning& w : check_volume(scan, grid)) plan.warn(w.what, w.fix);
  take_share(plan);
  projector_.emplace(plan_projector(projector_request(scan, share_)));
  if (!plan.on_cpu()) {
    Projector::require_kernels(plan);
    plan.require_kernel<PointwiseKernel>();
    plan.require_kernel<StepKernel>();
    plan.require_kernel<MomentumKernel>();
    plan.require_kernel<ConjugateKernel>();
    plan.require_kernel<ReduceKernel>();
    plan.require_kernel<ReducePartsKernel>();
    plan.require_kernel<TvPrimal>();
    plan.require_kernel<TvDual>();
    plan.require_kernel<MaskCopy>();
  }
  projector_->upload(plan);
  order_.clear();
  first_.assign(1, 0);
  for (const int s : subset_order(setup.subsets)) {
    for (int n = s; n < views_; n += setup.subsets) order_.push_back(n);
    first_.push_back(static_cast<std::int64_t>(order_.size()));
  }
  voxel_driven_.reset();
  if (setup.back_projector == BackProjector::voxel_driven) {
    voxel_driven_.emplace(projector_request(scan, share_), projector_->plan(), order_);
    if (!plan.on_cpu()) VoxelDriven::require_kernels(plan);
    voxel_driven_->upload(plan);
  }
  device_order_ = plan.upload(std::span<const std::int32_t>(order_), "order of the views");
  scalars_ = plan.allocate<double>(iterative_scalars + reduction_parts, "sums");
  const PayloadRef input = plan.input("input");
  const std::span<const double> numbers = input.numbers("acquisition.views");
  planned_views_.assign(numbers.begin(), numbers.end());
  has_mask_ = plan.has_input("mask");
  for (const char* port : {"start", "mask", "prior"})
    if (plan.has_input(port)) check_optional(plan, port);

  volume_count_ = volumes;
  stack_count_ = stacks;
  std::int64_t largest = 0;
  for (int s = 0; s < setup.subsets; ++s) largest = std::max(largest, floats(s));
  const std::int64_t all = (volumes + (has_mask_ ? 1 : 0)) * volume_floats() + (stacks + 1) * stack_floats() + largest;
  const Launcher launcher = launcher_of(plan);
  plan.scratch(static_cast<std::uint64_t>(all) * sizeof(float) +
               std::max(projector_->scratch_bytes(launcher),
                        voxel_driven_ ? voxel_driven_->scratch_bytes(launcher) : std::uint64_t{0}));

  PayloadRef output = plan.output("output");
  output.set_tensor("voxels", tensor(DType::float32, "zyx", {share_.nz, grid.ny, grid.nx}));
  output.set_geometry(grid.geometry);
  if (others_ != nullptr) set_slabs(output, {grid.nz, {first_slice_}});
  output.set_text("unit", setup.unit);
  plan.fact("projector", projector_->plan().aligned ? "detector columns along the volume" : "any orientation");
  history_.assign(static_cast<std::size_t>(setup.iterations), 0.0);
  plan.metric("relative_residual", "1", static_cast<std::uint32_t>(setup.iterations));
  plan.metric("iterations", "1", 1);
}

void IterativeProblem::take_share(PlanContext& plan) {
  share_ = grid_;
  first_slice_ = 0;
  others_ = plan.communicator();
  if (others_ == nullptr) return;
  const std::string many = std::to_string(others_->ranks) + " processes";
  if (setup_.voxels_touch)
    throw Failure(ErrorCode::unsupported, std::string(setup_.method) + " cannot be shared by " + many,
                  "start one process, or use os_sart_reconstruction or cgls_reconstruction");
  if (!plan.on_cpu())
    throw Failure(ErrorCode::unsupported,
                  many + " share an iterative reconstruction on device '" + plan.device().name +
                      "', and their projections are added up in host memory",
                  "run this node on \"cpu\", or start one process");
  check_ranks(grid_.nz, others_);
  first_slice_ = grid_.nz * others_->rank / others_->ranks;
  share_.nz = grid_.nz * (others_->rank + 1) / others_->ranks - first_slice_;
  share_.geometry = slab_geometry(grid_.geometry, first_slice_);
  channel_ = others_->open_channel(others_->user);
  plan.fact("slab", "slices " + std::to_string(first_slice_) + " to " + std::to_string(first_slice_ + share_.nz - 1) +
                        " of " + std::to_string(grid_.nz));
}

/// The sum over all processes, the same bits in each.
template <class T>
void IterativeProblem::add_up(T* data, std::int64_t count) const {
  if (others_ == nullptr) return;
  const auto stop = [](void* run) { return static_cast<const RunContext*>(run)->cancelled() ? 1 : 0; };
  call([&](auto* e) {
    return others_->sum(others_->user, channel_, data, static_cast<std::uint64_t>(count),
                        sizeof(T) == sizeof(float) ? ISOCENTER_FLOAT32 : ISOCENTER_FLOAT64, stop,
                        const_cast<RunContext*>(run_), e);
  });
}

void IterativeProblem::check_optional(PlanContext& plan, const char* port) const {
  const PayloadRef payload = plan.input(port);
  const bool labels = payload.kind() == ISOCENTER_SEGMENTATION;
  const GridShape shape =
      grid_shape(payload, port, labels ? "labels" : "voxels", labels ? DType::uint8 : DType::float32);
  const std::string where = std::string("input '") + port + "'";
  if (shape.nx != grid_.nx || shape.ny != grid_.ny || shape.nz != grid_.nz || shape.nt != 1)
    throw Failure(ErrorCode::invalid_argument,
                  where + " has " + std::to_string(shape.nx) + " x " + std::to_string(shape.ny) + " x " +
                      std::to_string(shape.nz) + " voxels, and the reconstruction " + std::to_string(grid_.nx) + " x " +
                      std::to_string(grid_.ny) + " x " + std::to_string(grid_.nz),
                  "give both the same nx, ny, nz");
  for (int k = 0; k < 3; ++k)
    if (std::fabs(shape.geometry.spacing_mm[k] - grid_.geometry.spacing_mm[k]) > 1e-6 * grid_.geometry.spacing_mm[k] ||
        std::fabs(shape.geometry.origin_mm[k] - grid_.geometry.origin_mm[k]) > 1e-3 * grid_.geometry.spacing_mm[k])
      throw Failure(ErrorCode::invalid_argument,
                    where + " lies elsewhere than the reconstruction, or has another spacing",
                    "give both the same spacing_mm and centre");
  if (!labels && std::string(port) != "mask" && payload.text("unit") != setup_.unit)
    throw Failure(ErrorCode::invalid_argument,
                  where + " is in '" + payload.text("unit") + "', and the reconstruction in '" + setup_.unit + "'",
                  "set the parameter unit to that of the volume");
}

void IterativeProblem::begin(const RunContext& run) {
  run_ = &run;
  launcher_ = launcher_of(run);
  done_ = 0;
  require_planned_views(run.input("input"), planned_views_);
  if (launcher_.on_cpu()) check_values();
  volumes_ = run.scratch<float>();
  stacks_ = volumes_ + volume_count_ * volume_floats();
  measured_ = stacks_ + stack_count_ * stack_floats();
  projected_ = measured_ + stack_floats();
  std::int64_t largest = 0;
  for (int s = 0; s < setup_.subsets; ++s) largest = std::max(largest, floats(s));
  mask_ = has_mask_ ? projected_ + largest : nullptr;
  scratch_ = projected_ + largest + (has_mask_ ? volume_floats() : 0);
  const auto* values = run.input("input").tensor("views").as<float>();
  const std::int64_t view = static_cast<std::int64_t>(projector_->plan().rows) * projector_->plan().columns;
  for (std::size_t n = 0; n < order_.size(); ++n)
    projector_->take_views(launcher_, values + order_[n] * view,
                           measured_ + projector_->view_floats(static_cast<std::int64_t>(n)), 1);
  if (has_mask_) take_mask();
}

/// A value that is no number would spread over the whole volume without a trace.
void IterativeProblem::check_values() const {
  const TensorView t = run_->input("input").tensor("views");
  const auto* values = t.as<float>();
  const std::int64_t row = t.extent('u'), rows = t.extent('v') * t.extent('n');
  constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> worst{none};
  parallel_for(launcher_, rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * row; i < end * row; ++i) {
      if (std::isfinite(values[i]) && !(setup_.refuses_negative && values[i] < 0.0F)) continue;
      std::int64_t seen = worst.load();
      while (i < seen && !worst.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  if (const std::int64_t i = worst.load(); i != none)
    throw Failure(ErrorCode::bad_data,
                  "the projections hold " + std::to_string(values[i]) + " at view " +
                      std::to_string(i / row / t.extent('v')) + ", row " + std::to_string(i / row % t.extent('v')) +
                      ", column " + std::to_string(i % row) + ", and " + setup_.method + " takes " +
                      (setup_.refuses_negative ? "numbers from 0 on" : "finite numbers"),
                  "repair dead and unexposed detector elements before this node");
}

void IterativeProblem::take_mask() {
  const PayloadRef payload = run_->input("mask");
  const ProjectorVolume& v = layout();
  const bool labels = payload.kind() == ISOCENTER_SEGMENTATION;
  const std::int64_t stride[3] = {1, v.n[0], static_cast<std::int64_t>(v.n[0]) * v.n[1]};
  fill(launcher_, mask_, volume_floats(), 0.0F);
  const MaskCopy copy{labels ? payload.tensor("labels").as<std::uint8_t>() + share_offset() : nullptr,
                      labels ? nullptr : payload.tensor("voxels").as<float>() + share_offset(),
                      mask_,
                      {stride[v.fast], stride[v.middle], stride[v.slow]},
                      {1, v.stride[v.middle], v.stride[v.slow]}};
  launch(launcher_, copy, v.n[v.fast], v.n[v.middle], v.n[v.slow]);
}

void IterativeProblem::end(const float* x) {
  projector_->give_volume(launcher_, x, run_->output("output").tensor("voxels").as<float>(),
                          from_attenuation(setup_.unit, setup_.mu_water));
  if (others_ != nullptr) run_->output("output").set_geometry(share_.geometry);
  if (!launcher_.on_cpu()) return;
  // What was not reached keeps the last residual.
  for (std::size_t k = static_cast<std::size_t>(done_); k < history_.size(); ++k)
    history_[k] = done_ > 0 ? history_[static_cast<std::size_t>(done_ - 1)] : 1.0;
  run_->metric("relative_residual", history_);
  run_->metric("iterations", static_cast<double>(done_));
}

void IterativeProblem::forward(int subset, const float* x, float* out) const {
  const std::int64_t first = first_[static_cast<std::size_t>(subset)];
  const auto count = static_cast<int>(first_[static_cast<std::size_t>(subset) + 1] - first);
  projector_->forward(launcher_, x, device_order_ + first, count, out, scratch_);
  add_up(out, projector_->view_floats(count));
}

void IterativeProblem::back(int subset, const float* in, float* x) const {
  const std::int64_t first = first_[static_cast<std::size_t>(subset)];
  const auto count = static_cast<int>(first_[static_cast<std::size_t>(subset) + 1] - first);
  if (voxel_driven_) return voxel_driven_->back(launcher_, *projector_, in, first, count, x, scratch_);
  projector_->back(launcher_, in, device_order_ + first, count, x, scratch_);
}

/// Only voxels get the value; the zeros between rows stay zeros.
void IterativeProblem::fill_voxels(float* x, float value) const {
  const ProjectorVolume& v = layout();
  fill(launcher_, x, volume_floats(), 0.0F);
  const MaskCopy values{nullptr, nullptr, x, {0, 0, 0}, {1, v.stride[v.middle], v.stride[v.slow]}, value};
  launch(launcher_, values, v.n[v.fast], v.n[v.middle], v.n[v.slow]);
  if (mask_ != nullptr) launch_flat(launcher_, PointwiseKernel{x, x, mask_, Pointwise::multiply}, volume_floats());
}

void IterativeProblem::one_volume(float* x) const { fill_voxels(x, 1.0F); }

void IterativeProblem::one_stack(int subset, float* out) const {
  const LineStack& stack = projector_->plan().stack;
  fill(launcher_, out, floats(subset), 0.0F);
  const MaskCopy ones{nullptr, nullptr, out, {0, 0, 0}, {1, stack.stride, stack.view_stride()}};
  launch(launcher_, ones, stack.elements, stack.lines, static_cast<int>(floats(subset) / stack.view_stride()));
}

void IterativeProblem::take_start(float* x, float value) const {
  if (!has("start")) return fill_voxels(x, value);
  take("start", x);
  if (mask_ != nullptr) launch_flat(launcher_, PointwiseKernel{x, x, mask_, Pointwise::multiply}, volume_floats());
}

void IterativeProblem::take(const char* port, float* x) const {
  projector_->take_volume(launcher_, run_->input(port).tensor("voxels").as<float>() + share_offset(), x,
                          to_attenuation(setup_.unit, setup_.mu_water));
}

void IterativeProblem::sum(const float* a, const float* b, std::int64_t n, int scalar_place, bool goes_on) const {
  reduce(launcher_, a, b, n, scalars_ + iterative_scalars, scalar(scalar_place), goes_on);
}

void IterativeProblem::sum_voxels(const float* a, int scalar_place) const {
  sum(a, a, volume_floats(), scalar_place);
  add_up(scalar(scalar_place), 1);
}

bool IterativeProblem::go_on(const double* residual, const double* reference) {
  ++done_;
  run_->progress(static_cast<double>(done_) / setup_.iterations);
  if (launcher_.on_cpu()) {
    const double now = *reference > 0.0 ? std::sqrt(*residual / *reference) : 0.0;
    const double before = done_ > 1 ? history_[static_cast<std::size_t>(done_ - 2)] : 0.0;
    history_[static_cast<std::size_t>(done_ - 1)] = now;
    if (done_ > 1 && setup_.stop_at_change > 0.0 && std::fabs(before - now) <= setup_.stop_at_change * before)
      return false;
  }
  return done_ < setup_.iterations && !run_->cancelled();
}

}  // namespace isocenter::detail
