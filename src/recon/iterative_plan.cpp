// How an iterative reconstruction is planned: what is refused, which arrays fit into the budget, what is described.
#include <algorithm>
#include <cmath>

#include "core/volume_input.hpp"
#include "recon/correction_input.hpp"
#include "recon/iterative_problem.hpp"
#include "recon/joseph_slab.hpp"
#include "recon/mask_copy.hpp"
#include "recon/reading_check.hpp"
#include "recon/slab_cut.hpp"

namespace isocenter::detail {

namespace {

/// Slabs no thinner than this are made before a method does with less memory otherwise.
constexpr std::int64_t least_height = 16;

std::int64_t round_up(std::int64_t floats) { return (floats + 15) / 16 * 16; }

void require_kernels(const PlanContext& plan) {
  Projector::require_kernels(plan);
  SlabProjector::require_kernels(plan);
  plan.require_kernel<PointwiseKernel>();
  plan.require_kernel<StepKernel>();
  plan.require_kernel<MomentumKernel>();
  plan.require_kernel<ConjugateKernel>();
  plan.require_kernel<ReduceKernel>();
  plan.require_kernel<ReducePartsKernel>();
  plan.require_kernel<TvPrimal>();
  plan.require_kernel<TvDual>();
  plan.require_kernel<ReadingCheck>();
}

}  // namespace

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

namespace {

/// Rays that pass most voxels by leave those that none reaches as they were.
void warn_of_small_voxels(PlanContext& plan, const Acquisition& scan, const VolumeGrid& grid) {
  constexpr double much = 20.0;
  const Vector3 centre =
      grid.geometry.position_mm(0.5 * static_cast<double>(grid.nx - 1), 0.5 * static_cast<double>(grid.ny - 1),
                                0.5 * static_cast<double>(grid.nz - 1));
  const View& v = scan.views[0];
  const double scale = scan.beam == Beam::cone ? detector_point(v, scan.beam, scan.detector, centre).depth : 1.0;
  const double rays = scale * std::min(length(v.u_step_mm), length(v.v_step_mm));
  const double voxel = std::max(grid.geometry.spacing_mm[0], grid.geometry.spacing_mm[1]);
  if (rays <= much * voxel) return;
  plan.warn("the voxels are " + text_of(voxel) + " mm wide where the rays are " + text_of(rays) +
                " mm apart, so that most rays pass between voxels, and voxels that no ray meets stay as they begin",
            "give spacing_mm of the size of a detector element at the volume, in mm");
}

}  // namespace

void IterativeProblem::plan(PlanContext& plan, const IterativeSetup& setup, const VolumeGrid& grid,
                            const Acquisition& scan, const IterativeArrays& fast, const IterativeArrays& lean) {
  setup_ = setup;
  grid_ = grid;
  geometry_ = grid.geometry;
  views_ = static_cast<int>(scan.views.size());
  if (setup.subsets > views_)
    throw Failure(ErrorCode::invalid_argument,
                  "subsets = " + std::to_string(setup.subsets) + ", and there are " + std::to_string(views_) + " views",
                  "use as many subsets as views at most");
  if (views_ == 1)
    plan.warn("there is 1 view, from which nothing is known of the depth along its rays", "give all views of the scan");
  for (const AcquisitionWarning& w : check_volume(scan, grid)) plan.warn(w.what, w.fix);
  warn_of_small_voxels(plan, scan, grid);
  take_share(plan);
  projector_.emplace(plan_projector(projector_request(scan, share_)));
  if (!plan.on_cpu()) require_kernels(plan);
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
  }
  const PayloadRef input = plan.input("input");
  const std::span<const double> numbers = input.numbers("acquisition.views");
  planned_views_.assign(numbers.begin(), numbers.end());
  has_mask_ = plan.has_input("mask");
  for (const char* port : {"start", "mask", "prior"})
    if (plan.has_input(port)) check_optional(plan, port);
  choose_memory(plan, fast, lean);
  projector_->upload(plan);
  if (slabs_) slabs_->upload(plan);
  if (voxel_driven_) voxel_driven_->upload(plan);
  device_order_ = plan.upload(std::span<const std::int32_t>(order_), "order of the views");
  if (!plan.on_cpu() && !on_host_) device_bad_reading_ = plan.allocate<std::int64_t>(1, "the first bad reading");
  if (!on_host_) scalars_ = plan.allocate<double>(scalar_count, "sums");
  describe(plan);
}

void IterativeProblem::describe(PlanContext& plan) {
  PayloadRef output = plan.output("output");
  output.set_tensor("voxels", tensor(DType::float32, "zyx", {share_.nz, grid_.ny, grid_.nx}));
  output.set_geometry(grid_.geometry);
  if (others_ != nullptr) set_slabs(output, {grid_.nz, {first_slice_}});
  output.set_text("unit", setup_.unit);
  plan.fact("projector", projector_->plan().aligned ? "detector columns along the volume" : "any orientation");
  if (slabs_)
    plan.fact("slabs", std::to_string(slabs_->slabs()) + " of " + std::to_string(slabs_->height()) + " slices, " +
                           std::to_string(slabs_->views()) + " views at a time" +
                           (on_host_ ? ", volumes and projections in host memory" : "") +
                           (is_lean_ ? ", as little kept as the method allows" : ""));
  history_.assign(static_cast<std::size_t>(setup_.iterations), 0.0);
  plan.metric("relative_residual", "1", static_cast<std::uint32_t>(setup_.iterations));
  plan.metric("iterations", "1", 1);
}

void IterativeProblem::take_share(PlanContext& plan) {
  share_ = grid_;
  first_slice_ = 0;
  others_ = plan.communicator();
  if (others_ == nullptr) return;
  check_ranks(grid_.nz, others_);
  first_slice_ = grid_.nz * others_->rank / others_->ranks;
  share_.nz = grid_.nz * (others_->rank + 1) / others_->ranks - first_slice_;
  share_.geometry = slab_geometry(grid_.geometry, first_slice_);
  channel_ = Channel(*others_);
  plan.declare_host_memory(channel_.bytes());
  of_ranks_.assign(static_cast<std::size_t>(others_->ranks), 0.0);
  plan.fact("slab", "slices " + std::to_string(first_slice_) + " to " + std::to_string(first_slice_ + share_.nz - 1) +
                        " of " + std::to_string(grid_.nz));
}

void IterativeProblem::choose_memory(PlanContext& plan, const IterativeArrays& fast, const IterativeArrays& lean) {
  // Neighbouring slices of a process's part lie together where volumes are dense.
  const bool may_be_whole = !touches() && !is_too_large(projector_->plan());
  Frugality way = may_be_whole ? Frugality::whole : Frugality::slabs;
  on_host_ = false;
  do way = fit_memory(plan, fast, lean, way);
  while (!agree(&way));
  const std::uint64_t work = work_bytes(launcher_of(plan));
  plan.scratch(on_host_ ? work : array_bytes() + work);
  if (on_host_)
    plan.host_scratch(array_bytes() + scalar_count * sizeof(double));
  else if (others_ != nullptr && !plan.on_cpu())
    plan.host_scratch(between_bytes());
}

void IterativeProblem::keep_ports_on_host(PlanContext& plan) {
  on_host_ = true;
  plan.keep_on_host("output");
  for (const char* port : {"input", "start", "mask", "prior"})
    if (plan.has_input(port)) plan.keep_on_host(port);
}

MemoryNeed IterativeProblem::need_of(const Launcher& launcher, const IterativeArrays& arrays, int slabs, int views) {
  arrays_ = arrays;
  host_.reset();
  slabs_.reset();
  if (slabs > 0) slabs_.emplace(*projector_, slabs, views);
  if (slabs_ && voxel_driven_) voxel_driven_->cut(slabs_->slabs(), slabs_->height(), views);
  if (on_host_) host_.emplace(*slabs_, voxel_driven_ ? &*voxel_driven_ : nullptr, slice());
  lay_out();
  const std::uint64_t talking = 2 * channel_.bytes();  // to the others, and of the join to which the slabs go
  const std::uint64_t of_arrays = static_cast<std::uint64_t>(share_voxels()) * sizeof(float) + array_bytes() +
                                  scalar_count * sizeof(double) + (on_host_ || launcher.on_cpu() ? talking : 0);
  const std::uint64_t of_device = projector_->plan().lines.size() * sizeof(JosephLine) +
                                  order_.size() * sizeof(std::int32_t) + sizeof(std::int64_t) +
                                  (slabs_ ? slabs_->table_bytes() : 0) +
                                  (voxel_driven_ ? voxel_driven_->table_bytes() : 0) + work_bytes(launcher);
  return on_host_ ? MemoryNeed{of_arrays, of_device} : MemoryNeed{of_arrays + of_device, of_arrays + of_device};
}

Frugality IterativeProblem::fit_memory(PlanContext& plan, const IterativeArrays& fast, const IterativeArrays& lean,
                                       Frugality from) {
  const Launcher launcher = launcher_of(plan);
  is_lean_ = false;
  if (from == Frugality::whole && memory_left_of(plan, on_host_).holds(need_of(launcher, fast, 0, 0)))
    return Frugality::whole;
  std::optional<Frugality> way = fit_slabs(plan, fast, lean, from);
  if (!way && !plan.on_cpu()) {
    keep_ports_on_host(plan);
    way = fit_slabs(plan, fast, lean, from);
  }
  if (way) return *way;
  refuse_memory(plan,
                "even in slabs of " + std::to_string(share_.nx) + " x " + std::to_string(share_.ny) + " x 1 voxels, " +
                    setup_.method,
                need_of(launcher, lean, static_cast<int>(share_.nz), 1), on_host_,
                lean.subset_stacks > 0 ? ", or use more subsets" : "");
}

std::optional<Frugality> IterativeProblem::fit_slabs(const PlanContext& plan, const IterativeArrays& fast,
                                                     const IterativeArrays& lean, Frugality from) {
  const Launcher launcher = launcher_of(plan);
  const MemoryLeft left = memory_left_of(plan, on_host_), well = left.shared();
  std::int64_t largest = 0;
  for (int s = 0; s < setup_.subsets; ++s) largest = std::max<std::int64_t>(largest, subset(s).count);
  const auto views = static_cast<int>(std::min<std::int64_t>(std::clamp(views_ / 16, 8, 32), largest));
  const std::int64_t nz = share_.nz, thick = std::max<std::int64_t>(1, nz / least_height);
  // On a device, projecting twice costs more than to keep the arrays on the host; where another process has to, all do.
  const bool may_be_lean = plan.on_cpu() || on_host_ || from > Frugality::slabs;
  for (const Frugality now : {Frugality::slabs, Frugality::lean}) {
    is_lean_ = now == Frugality::lean;
    if (is_lean_ && !may_be_lean) return std::nullopt;
    for (std::int64_t slabs = 1; now >= from && slabs <= (is_lean_ ? nz : thick); slabs = slabs + 1 + slabs / 4)
      if (well.holds(need_of(launcher, is_lean_ ? lean : fast, static_cast<int>(slabs), views)) &&
          !slabs_->is_too_large())
        return now;
  }
  is_lean_ = true;
  if (left.holds(need_of(launcher, lean, static_cast<int>(nz), 1))) return Frugality::least;
  return std::nullopt;
}

void IterativeProblem::lay_out() {
  Room& r = room_;
  std::int64_t at = 0;
  const auto take = [&](std::int64_t floats) {
    const std::int64_t begin = at;
    at += round_up(floats);
    return begin;
  };
  r.largest = 0;
  for (int s = 0; s < setup_.subsets; ++s) r.largest = std::max(r.largest, round_up(floats(subset(s))));
  const std::int64_t group = slabs_ ? projector_->view_floats(slabs_->views()) : r.largest;
  r.volumes = take((arrays_.volumes - (slabs_ ? 1 : 0)) * volume_stride());
  r.mask = take(has_mask_ ? volume_stride() : 0);
  r.slab_buffers = take(arrays_.slab_buffers * buffer_stride());
  r.stacks = take(arrays_.stacks * stack_floats());
  r.subset_stacks = take(arrays_.subset_stacks * r.largest);
  r.measured = take(slabs_ ? group : stack_floats());
  r.projected = take(arrays_.subset_stacks > 0 ? 0 : group);
  r.aside = take(arrays_.aside ? group : 0);
  r.work = at;
}

std::uint64_t IterativeProblem::work_bytes(const Launcher& launcher) const {
  if (host_) return host_->work_bytes(launcher);
  if (slabs_) return slabs_->work_bytes(launcher) + (voxel_driven_ ? voxel_driven_->slab_scratch_bytes(launcher) : 0);
  return std::max(projector_->scratch_bytes(launcher),
                  voxel_driven_ ? voxel_driven_->scratch_bytes(launcher) : std::uint64_t{0});
}

std::int64_t IterativeProblem::volume_stride() const {
  return slabs_ ? round_up(share_voxels() + (touches() ? slice() : 0)) : projector_->volume_floats();
}

std::int64_t IterativeProblem::buffer_stride() const {
  return slabs_ ? round_up(slabs_->height() * slice()) : projector_->volume_floats();
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

}  // namespace isocenter::detail
