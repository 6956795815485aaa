#pragma once
// What all iterative reconstructions share: the scan and its projector, the optional inputs "start", "mask" and
// "prior", subsets of the views, the memory, and when the iterations end.
//
// Processes of a communicator share one reconstruction: each has a slab of the volume along z (and all projections),
// and projects it; the sum of their projections is that of the whole, because the projector is linear and takes what
// lies outside its grid as 0. Back projection needs nobody else.
#include <isocenter/recon/grid_parameters.hpp>
#include <optional>

#include "core/launcher.hpp"
#include "recon/reconstruction_grid.hpp"
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
  bool voxels_touch = false;  ///< the method compares neighbours, so that slabs would need those of the next process
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

class IterativeProblem {
 public:
  /// Checks everything, describes the output and uploads the tables. `volumes` and `stacks` say how many arrays like
  /// the volume, and like all projections, the method works on; there is always one stack more, of the largest subset,
  /// and the projections themselves.
  void plan(PlanContext& plan, const IterativeSetup& setup, const VolumeGrid& grid, const Acquisition& scan,
            int volumes, int stacks);

  // ---- during a run ----
  void begin(const RunContext& run);
  void end(const float* x);

  const Launcher& launcher() const { return launcher_; }
  std::int64_t volume_floats() const { return projector_->volume_floats(); }
  std::int64_t stack_floats() const { return projector_->view_floats(views_); }
  int subsets() const { return setup_.subsets; }
  const ProjectorVolume& layout() const { return projector_->plan().volume; }
  const Geometry& geometry() const { return geometry_; }

  float* volume(int i) const { return volumes_ + i * volume_floats(); }
  float* stack(int i) const { return stacks_ + i * stack_floats(); }
  float* measured() const { return measured_; }    ///< the projections, subset after subset
  float* projected() const { return projected_; }  ///< room for the largest subset
  const float* mask() const { return mask_; }      ///< 1 and 0; null when there is none
  double* scalar(int i) const { return scalars_ + i; }

  /// The floats of a subset in a stack, and how many.
  std::int64_t offset(int subset) const { return projector_->view_floats(first_[static_cast<std::size_t>(subset)]); }
  std::int64_t floats(int subset) const { return offset(subset + 1) - offset(subset); }
  void forward(int subset, const float* x, float* out) const;
  void back(int subset, const float* in, float* x) const;

  /// 1 in every voxel of the mask, and at every ray of a subset.
  void one_volume(float* x) const;
  void one_stack(int subset, float* out) const;
  /// x = the input "start", or `value` everywhere; 0 beyond the mask.
  void take_start(float* x, float value) const;
  /// x = another optional input volume, in 1/mm.
  void take(const char* port, float* x) const;
  bool has(const char* port) const { return run_->has_input(port); }

  /// Σ a b and the largest a of an array, into a scalar.
  void sum(const float* a, const float* b, std::int64_t n, int scalar, bool goes_on = false) const;
  /// Σ a² over the voxels of all processes.
  void sum_voxels(const float* a, int scalar) const;

  bool cancelled() const { return run_->cancelled(); }
  /// Ends an iteration whose residual ‖A x - b‖² is in the scalar; `reference` is that of x = 0. False when it was the
  /// last one.
  bool go_on(const double* residual, const double* reference);

 private:
  void take_share(PlanContext& plan);
  template <class T>
  void add_up(T* data, std::int64_t count) const;
  /// Where this process's slab begins in a payload of the whole grid.
  std::int64_t share_offset() const { return first_slice_ * grid_.nx * grid_.ny; }
  void check_optional(PlanContext& plan, const char* port) const;
  void fill_voxels(float* x, float value) const;
  void check_values() const;
  void take_mask();

  IterativeSetup setup_{};
  VolumeGrid grid_{};   ///< of the whole volume
  VolumeGrid share_{};  ///< this process's slab of it
  std::int64_t first_slice_ = 0;
  const isocenter_communicator* others_ = nullptr;
  std::int32_t channel_ = 0;
  Geometry geometry_;
  std::optional<Projector> projector_;
  std::optional<VoxelDriven> voxel_driven_;  ///< when the back projection is not the projector's own
  std::vector<std::int32_t> order_;          ///< the projection that comes at each place
  const std::int32_t* device_order_ = nullptr;
  std::vector<std::int64_t> first_;  ///< the place at which each subset begins
  std::vector<double> planned_views_;
  std::vector<double> history_;
  int views_ = 0, volume_count_ = 0, stack_count_ = 0;
  bool has_mask_ = false;
  double* scalars_ = nullptr;

  const RunContext* run_ = nullptr;
  Launcher launcher_{};
  float *volumes_ = nullptr, *stacks_ = nullptr, *measured_ = nullptr, *projected_ = nullptr, *mask_ = nullptr;
  void* scratch_ = nullptr;
  int done_ = 0;
};

constexpr int iterative_scalars = 8;

}  // namespace isocenter::detail
