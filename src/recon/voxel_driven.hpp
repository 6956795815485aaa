#pragma once
// The fast back projection that is no transpose of the forward one: every voxel reads each view where its ray meets the
// detector. It is the adjoint's integral discretised in voxels: A' y of a voxel sums y times the ray's length in it
// over the rays; seen as an integral over the detector that is the voxel's volume V over the area that an element has
// at the voxel, at right angles to the ray:
//   V |d| / (|N · d| t²), d from the source to the element, N = u_step × v_step, t the voxel's depth over the
//   detector's
// (cone beam; parallel: V / |N · d| with a unit d). t varies from voxel to voxel and is the weight of FDK's back
// projection, whose kernels are used; the rest belongs to the element. In a 2-D scan a length takes the area's place:
//   (pixel's area) |d| / (|u_step × d| t).
#include <isocenter/operator.hpp>

#include "recon/fdk.hpp"
#include "recon/projector.hpp"
#include "recon/voxel_driven_stack.hpp"

namespace isocenter::detail {

class VoxelDriven {
 public:
  /// `order`: the view at each place of the stacks that are back-projected. Throws Failure for a curved detector.
  VoxelDriven(const ProjectorRequest& request, const ProjectorPlan& plan, std::span<const std::int32_t> order);

  void upload(PlanContext& plan);
  /// The same for host memory, without a plan.
  void use(const FdkMatrix* matrices, const VoxelDrivenWeight* weights) { matrices_ = matrices, weights_ = weights; }
  const std::vector<FdkMatrix>& host_matrices() const { return host_matrices_; }
  const std::vector<VoxelDrivenWeight>& host_weights() const { return host_weights_; }
  static void require_kernels(const PlanContext& plan);
  std::uint64_t scratch_bytes(const Launcher& launcher) const;
  std::uint64_t slab_scratch_bytes(const Launcher& launcher) const;  ///< for back_slab
  /// For a volume that is worked on in slabs of `height` slices along z, `views` at once (back_slab, before upload).
  void cut(int slabs, int height, int views);

  /// volume = the back projection of `count` views in the projector's order, which begin at place `first`. Same bits
  /// for every number of threads.
  void back(const Launcher& launcher, const Projector& projector, const float* in, std::int64_t first, int count,
            float* volume, void* scratch) const;
  /// The same for `height` slices of a slab, dense; with `goes_on` added to what they hold.
  void back_slab(const Launcher& launcher, const ProjectorPlan& plan, const float* in, std::int64_t first, int count,
                 int slab, int height, float* slices, void* scratch, bool goes_on) const;
  /// What upload takes.
  std::uint64_t table_bytes() const {
    return host_matrices_.size() * sizeof(FdkMatrix) + host_weights_.size() * sizeof(VoxelDrivenWeight);
  }

 private:
  FdkStack stack(float* data) const;

  std::vector<FdkMatrix> host_matrices_;
  std::vector<VoxelDrivenWeight> host_weights_;
  const FdkMatrix* matrices_ = nullptr;
  const VoxelDrivenWeight* weights_ = nullptr;
  int columns_ = 0, rows_ = 0, views_at_once_ = 1;
  int n_[3] = {1, 1, 1};
  std::int64_t places_ = 0;  ///< for each of which there is a matrix in every slab
  int column_axis_ = 2;
  bool aligned_ = false;
};

}  // namespace isocenter::detail
