#pragma once
// What all iterative reconstructions share: the scan and its projector, the optional inputs "start", "mask" and
// "prior", subsets of the views, the memory, and when the iterations end.
//
// Where the budget holds everything, volumes lie whole in the projector's order, and the projections too. Where it does
// not, the method works in slabs: whole volumes lie dense (zyx), the first of them in the output itself; only one slab
// of them at a time is in the projector's order, and of the measured projections only a group of views; a method may do
// with less still by computing again what it would keep (is_lean).
//
// On a device whose memory does not hold the output and the projections either, all of these stay in host memory, and
// the method works on them there (launcher() is the CPU's): only what is projected goes to the device, a slab of the
// volume and three groups of views at a time (host_projector.hpp).
//
// Processes of a communicator share one reconstruction: each has a part of the volume along z (and all projections),
// and projects it; the sum of their projections is that of the whole, because the projector is linear and takes what
// lies outside its grid as 0. Back projection needs nobody else. They talk in host memory: what lies on a device comes
// there in blocks to be added up, and goes back.
#include <isocenter/recon/grid_parameters.hpp>
#include <optional>

#include "core/launcher.hpp"
#include "core/processes.hpp"
#include "recon/host_projector.hpp"
#include "recon/memory_need.hpp"
#include "recon/reconstruction_grid.hpp"
#include "recon/slab_projector.hpp"
#include "recon/total_variation.hpp"
#include "recon/vector_kernels.hpp"
#include "recon/voxel_driven.hpp"

namespace isocenter::detail {

struct IterativeSetup {
  const char* method;  ///< for messages
  std::string unit;    ///< of the output
  double mu_water = 0;
  int subsets = 1;
  int iterations = 1;
  double stop_at_change = 0;
  bool refuses_negative = false;  ///< input values below zero are an error
  BackProjector back_projector = BackProjector::joseph;
  bool voxels_touch = false;  ///< the method compares neighbours: processes have a slice of the next one's
};

/// For methods whose output is attenuation. Throws Failure when HU are wanted and water's attenuation is not known.
template <class Params>
IterativeSetup attenuation_setup(const Payload& input, const Params& params, const char* method, int subsets) {
  const bool hu = params.unit == AttenuationUnit::hu;
  return {method,
          attenuation_units[static_cast<int>(params.unit)],
          hu ? water_attenuation(params.mu_water_per_mm, input) : 0.0,
          subsets,
          static_cast<int>(params.iterations),
          params.stop_at_change};
}

/// The order in which `subsets` are visited: bits of the place reversed, so that views that follow one another are far
/// apart (the fixed counterpart of Guan and Gordon's multilevel scheme, Phys. Med. Biol. 39 (1994) 2005).
std::vector<int> subset_order(int subsets);

/// How many arrays a method works on.
struct IterativeArrays {
  int volumes = 1;        ///< whole
  int slab_buffers = 0;   ///< like a slab; like the volume where there are no slabs
  int stacks = 0;         ///< like all projections
  int subset_stacks = 0;  ///< like the largest subset; without one there is room for a group of views
  bool aside = false;     ///< room for one more group of views
};

/// Everything whole; in slabs; in slabs and lean; the same with slabs of a slice and one view at a time. On a device
/// what comes after slabs is done with arrays in host memory, and slabs are tried so again.
enum class Frugality { whole, slabs, lean, least };

/// Views that lie together in a stack, at the places from `first` on; those of their subset begin at `begin`.
struct Places {
  std::int64_t first = 0;
  int count = 0;
  std::int64_t begin = 0;
};

constexpr int iterative_scalars = 8;

class IterativeProblem {
 public:
  /// Checks everything, describes the output and uploads the tables. Takes the arrays `fast` where the budget allows,
  /// and else `lean`, which is no more.
  void plan(PlanContext& plan, const IterativeSetup& setup, const VolumeGrid& grid, const Acquisition& scan,
            const IterativeArrays& fast, const IterativeArrays& lean);

  // ---- during a run ----
  void begin(const RunContext& run);
  void end(float* x);

  const Launcher& launcher() const { return launcher_; }
  bool is_lean() const { return is_lean_; }
  int subsets() const { return setup_.subsets; }
  const Geometry& geometry() const { return geometry_; }
  /// How the voxels of a whole volume lie, for kernels that compare neighbours; component: one volume from the next.
  TvGrid touching() const;

  std::int64_t volume_floats() const { return slabs_ ? share_voxels() : projector_->volume_floats(); }
  /// Slabs of a whole volume: where their floats begin, and how many.
  int slabs() const { return slabs_ ? slabs_->slabs() : 1; }
  std::int64_t slab_offset(int slab) const { return slabs_ ? slabs_->first_slice(slab) * slice() : 0; }
  std::int64_t slab_floats(int slab) const {
    return slabs_ ? slabs_->height_of(slab) * slice() : projector_->volume_floats();
  }

  float* volume(int i) const;
  float* slab_buffer(int i) const { return at(room_.slab_buffers) + i * buffer_stride(); }
  float* stack(int i) const { return at(room_.stacks) + i * stack_floats(); }
  float* subset_stack(int i) const { return at(room_.subset_stacks) + i * room_.largest; }
  float* aside() const { return at(room_.aside); }
  /// 1 and 0; null where there is none.
  const float* mask(int slab = 0) const { return has_mask_ ? at(room_.mask) + slab_offset(slab) : nullptr; }
  double* scalar(int i) const { return scalars_ + i; }

  Places subset(int s) const;
  Places all() const { return {0, views_, 0}; }
  /// Places are worked on in groups where the projections are not all there.
  int groups(const Places& places) const { return (places.count + group_views() - 1) / group_views(); }
  Places group(const Places& places, int g) const;
  std::int64_t offset(const Places& places) const { return projector_->view_floats(places.first); }
  std::int64_t floats(const Places& places) const { return projector_->view_floats(places.count); }
  std::int64_t stack_floats() const { return projector_->view_floats(views_); }
  /// The projections of a group, until the next one is asked for.
  const float* measured(const Places& group) const;
  /// Room for those of x: in the first subset_stack, or where there is none for one group.
  float* projected(const Places& places) const;

  // A projection in work is left some views after the session was cancelled: what comes of it is used only where
  // is_left() is false then.
  void forward(const Places& places, const float* x, float* out) const;
  /// Of ones within the mask. Takes slab_buffer(0).
  void forward_ones(const Places& places, float* out) const;
  /// A slab of the back projection; with `goes_on` added to what is there.
  void back(const Places& places, const float* in, int slab, float* to, bool goes_on = false) const;
  void back(const Places& places, const float* in, float* x, bool goes_on = false) const;
  /// The same of ones. Takes the first subset_stack.
  void back_ones(const Places& places, int slab, float* to) const;

  void apply_mask(float* x) const;
  /// 1 in every voxel of the mask.
  void one_volume(float* x) const { fill_voxels(x, 1.0F); }
  /// x = the input "start", or `value` everywhere; 0 beyond the mask.
  void take_start(float* x, float value) const;
  /// x = another optional input volume, in 1/mm.
  void take(const char* port, float* x) const;
  bool has(const char* port) const { return run_->has_input(port); }

  /// Σ a b of an array, into a scalar.
  void sum(const float* a, const float* b, std::int64_t n, int scalar, bool goes_on = false) const;
  /// Σ b² of the measured projections.
  void sum_measured(int scalar) const;
  /// Σ a², and the largest a, over the voxels of all processes.
  void sum_voxels(const float* a, int scalar) const;
  void largest_voxel(const float* a, int scalar) const;

  /// Between processes whose voxels touch: the slice behind x from the next one, the slice before x from the last one.
  void take_slice_behind(float* x) const;
  void take_slice_before(float* x) const;

  bool cancelled() const { return run_->cancelled(); }
  /// Whether projections are left, and so the step in work. Never between processes, which add theirs up, nor while
  /// slabs take the step.
  bool is_left() const { return others_ == nullptr && !steps_ && run_->cancelled(); }
  /// Before a slab takes the step: the slabs behind it take it too, so that the volume is one iterate.
  void step_slab(int slab);
  /// Ends an iteration whose residual ‖A x - b‖² is in the scalar; `reference` is that of x = 0. False when it was the
  /// last one. On a device it waits for the iteration, and so sees a cancelled session too.
  bool go_on(const double* residual, const double* reference);

 private:
  /// Where the arrays begin in the scratch, in floats.
  struct Room {
    std::int64_t volumes = 0, mask = 0, slab_buffers = 0, stacks = 0, subset_stacks = 0, measured = 0, projected = 0,
                 aside = 0, work = 0;
    std::int64_t largest = 0;  ///< floats of a subset_stack
  };

  void take_share(PlanContext& plan);
  /// States the scratch of the fastest way that the budgets of all processes allow: they add up the same projections
  /// together.
  void choose_memory(PlanContext& plan, const IterativeArrays& fast, const IterativeArrays& lean);
  /// The first way from `from` on that this process's budget allows.
  Frugality fit_memory(PlanContext& plan, const IterativeArrays& fast, const IterativeArrays& lean, Frugality from);
  /// The same among what is worked on in slabs. None: not even the least fits.
  std::optional<Frugality> fit_slabs(const PlanContext& plan, const IterativeArrays& fast, const IterativeArrays& lean,
                                     Frugality from);
  void keep_ports_on_host(PlanContext& plan);
  MemoryNeed need_of(const Launcher& launcher, const IterativeArrays& arrays, int slabs, int views);
  /// Whether all processes go the same way; it becomes the most frugal of theirs.
  bool agree(Frugality* way) const;
  void lay_out();
  /// Of the arrays, and of what projects them.
  std::uint64_t array_bytes() const { return static_cast<std::uint64_t>(room_.work) * sizeof(float); }
  std::uint64_t work_bytes(const Launcher& launcher) const;
  static constexpr std::uint64_t scalar_count = iterative_scalars + reduction_parts;
  void describe(PlanContext& plan);
  void check_optional(PlanContext& plan, const char* port) const;
  void check_values();
  void take_mask();
  /// So many views are projected between looks at whether the session was cancelled.
  int views_between_looks(int count) const;
  void take_views(const Places& places, float* to) const;
  void fill_voxels(float* x, float value) const;
  void copy_voxels(const float* from, float* to, ValueMap map) const;
  void send(int rank, const float* slice) const;
  void receive(int rank, float* slice) const;
  void exchange(int to, const float* given, int from, float* taken) const;
  /// The sum over all processes, the same bits in each, of data that lies where the arrays do; or in host memory.
  template <class T>
  void add_up(T* data, std::int64_t count) const;
  template <class T>
  void add_up_on_host(T* data, std::int64_t count) const;
  /// Where arrays are on a device, the host memory through which the processes talk.
  bool is_between() const { return others_ != nullptr && !launcher_.on_cpu(); }
  std::uint64_t between_bytes() const;
  std::int64_t block() const;
  /// The number of rank 0, so that all decide alike, whatever devices they have.
  void take_from_first(double* number) const;
  void copy_now(void* to, const void* from, std::uint64_t bytes) const;

  float* at(std::int64_t place) const { return scratch_ + place; }
  std::int64_t slice() const { return share_.nx * share_.ny; }
  std::uint64_t slice_bytes() const { return static_cast<std::uint64_t>(slice()) * sizeof(float); }
  std::int64_t share_voxels() const { return slice() * share_.nz; }
  bool touches() const { return setup_.voxels_touch && others_ != nullptr; }
  /// From one whole volume to the next, and one buffer to the next.
  std::int64_t volume_stride() const;
  std::int64_t buffer_stride() const;
  int group_views() const { return slabs_ ? slabs_->views() : views_; }
  /// Where this process's part begins in a payload of the whole grid.
  std::int64_t share_offset() const { return first_slice_ * slice(); }

  IterativeSetup setup_{};
  VolumeGrid grid_{};   ///< of the whole volume
  VolumeGrid share_{};  ///< this process's part of it
  std::int64_t first_slice_ = 0;
  const isocenter_communicator* others_ = nullptr;
  Channel channel_;
  Geometry geometry_;
  std::optional<Projector> projector_;
  std::optional<SlabProjector> slabs_;       ///< when the volume is worked on in slabs
  std::optional<HostProjector> host_;        ///< when the arrays stay in host memory, on a device
  std::optional<VoxelDriven> voxel_driven_;  ///< when the back projection is not the projector's own
  std::vector<std::int32_t> order_;          ///< the projection that comes at each place
  const std::int32_t* device_order_ = nullptr;
  std::int64_t bad_reading_ = 0, *device_bad_reading_ = nullptr;  ///< the first one
  std::vector<std::int64_t> first_;                               ///< the place at which each subset begins
  std::vector<double> planned_views_;
  std::vector<double> history_;
  int views_ = 0;
  bool has_mask_ = false, is_lean_ = false, on_host_ = false;
  IterativeArrays arrays_{};
  Room room_{};
  double* scalars_ = nullptr;             ///< the scalars, the parts of a sum
  mutable std::vector<double> of_ranks_;  ///< a number of each process, on the host

  const RunContext* run_ = nullptr;
  Launcher launcher_{};  ///< of the arrays
  float *scratch_ = nullptr, *first_volume_ = nullptr, *between_ = nullptr;
  void* work_ = nullptr;
  int done_ = 0;
  bool steps_ = false;  ///< slabs have taken the step, and others have not
};

}  // namespace isocenter::detail
