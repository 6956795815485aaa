#include <algorithm>
#include <cmath>
#include <isocenter/denoise/non_local_means.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "core/volume_input.hpp"
#include "denoise/noise_estimate.hpp"
#include "denoise/non_local_means_tuned.hpp"

namespace isocenter::detail {

class NonLocalMeansOperator : public OperatorBase<NonLocalMeans> {
 public:
  void plan(PlanContext& plan) override {
    shape_ = grid_shape(plan.input("input"), "input", "voxels", DType::float32);
    on_cpu_ = plan.on_cpu();
    const auto search = radii(static_cast<int>(params.search_radius));
    const auto patch = radii(static_cast<int>(params.patch_radius));
    kernel_ = {nullptr,   nullptr,  shape_.nx, shape_.ny, shape_.nz,       search[0],    search[1],
               search[2], patch[0], patch[1],  patch[2],  params.strength, params.sigma, nullptr};
    plan.output("output").like(plan.input("input"));

    std::uint64_t scratch = static_cast<std::uint64_t>(shape_.nt) * sizeof(float);
    if (estimates()) {
      plan_estimate(plan);
      counts_at_ = aligned(scratch);
      scratch = counts_at_ + NoiseMedian::state_words * sizeof(std::uint32_t);
    }
    tuned_ = !plan.launcher().reference_only;
    if (on_cpu_) {
      if (tuned_) {
        layout_ = non_local_means_layout(kernel_, plan.memory_left() / 4);
        chunk_at_ = aligned(scratch);
        scratch = chunk_at_ + layout_.scratch_bytes;
      }
      plan.metric("noise_sigma", "", static_cast<std::uint32_t>(shape_.nt));
      sigma_of_frame_.assign(static_cast<std::size_t>(shape_.nt), params.sigma);
    } else {
      plan.require_kernel(tuned_ ? NonLocalMeansKernel::tuned_name : NonLocalMeansKernel::name,
                          sizeof(NonLocalMeansKernel));
    }
    plan.scratch(scratch);
  }

  void run(const RunContext& run) override {
    const Launcher launcher = launcher_of(run);
    kernel_.in = run.input("input").tensor("voxels").as<const float>();
    kernel_.out = run.output("output").tensor("voxels").as<float>();
    kernel_.estimate = run.scratch<float>();
    if (estimates()) estimate_noise(run, launcher);
    if (on_cpu_) report_noise(run);
    if (on_cpu_ && tuned_) return filter_in_chunks(run, launcher);
    if (tuned_)
      launch_by_name(launcher, NonLocalMeansKernel::tuned_name, &kernel_, shape_.nx, shape_.ny,
                     static_cast<std::int64_t>(shape_.nz) * shape_.nt);
    else
      launch(launcher, kernel_, shape_.nx, shape_.ny, shape_.nz * shape_.nt);
  }

 private:
  static std::uint64_t aligned(std::uint64_t bytes) { return (bytes + 255) / 256 * 256; }
  bool estimates() const { return params.sigma <= 0.0F; }

  /// A radius along x, y, z: fewer voxels where they are larger, none along an axis of one voxel.
  std::array<int, 3> radii(int finest) const {
    const double* spacing = shape_.geometry.spacing_mm;
    const double smallest = *std::min_element(spacing, spacing + 3);
    const int extents[] = {shape_.nx, shape_.ny, shape_.nz};
    std::array<int, 3> r{};
    for (std::size_t a = 0; a < 3; ++a)
      r[a] = extents[a] == 1 ? 0 : static_cast<int>(std::lround(finest * smallest / spacing[a]));
    return r;
  }

  /// Neighbours are taken along the axes whose spacing is near the smallest: thick slices differ by anatomy.
  void plan_estimate(PlanContext& plan) {
    const double* spacing = shape_.geometry.spacing_mm;
    const double limit = 1.5 * *std::min_element(spacing, spacing + 3);
    residual_ = {nullptr,
                 nullptr,
                 shape_.nx,
                 shape_.ny,
                 shape_.nz,
                 shape_.nx >= 3 && spacing[0] <= limit,
                 shape_.ny >= 3 && spacing[1] <= limit,
                 shape_.nz >= 3 && spacing[2] <= limit};
    if (!residual_.along_x && !residual_.along_y && !residual_.along_z)
      throw Failure(ErrorCode::bad_data,
                    "noise cannot be estimated in a volume of " + std::to_string(shape_.nx) + " x " +
                        std::to_string(shape_.ny) + " x " + std::to_string(shape_.nz) +
                        " voxels: 3 neighbours along a fine axis are needed",
                    "set sigma to the noise's standard deviation");
    plan.require_kernel<ResidualKernel>();
    plan.require_kernel(NoiseMedian::count_name, sizeof(NoiseMedian));
    plan.require_kernel(NoiseMedian::select_name, sizeof(NoiseMedian));
  }

  /// One σ for each frame into scratch memory. The residuals lie in the output until the filter overwrites them.
  void estimate_noise(const RunContext& run, const Launcher& launcher) {
    residual_.in = kernel_.in;
    residual_.out = kernel_.out;
    launch(launcher, residual_, shape_.nx, shape_.ny, shape_.nz * shape_.nt);
    auto* counts = reinterpret_cast<std::uint32_t*>(run.scratch<std::byte>() + counts_at_);
    for (int frame = 0; frame < shape_.nt; ++frame) {
      NoiseMedian median{kernel_.out + frame * shape_.frame_voxels(),
                         shape_.frame_voxels(),
                         counts + NoiseMedian::state_words - 4,
                         counts,
                         run.scratch<float>() + frame,
                         0};
      if (on_cpu_) {
        noise_median(launcher, median);
        sigma_of_frame_[static_cast<std::size_t>(frame)] = *median.sigma;
        continue;
      }
      for (median.round = 0; median.round < 2; ++median.round) {
        launch_by_name(launcher, NoiseMedian::count_name, &median, median.voxels, 1, 1);
        launch_by_name(launcher, NoiseMedian::select_name, &median, 1, 1, 1);
      }
    }
  }

  void report_noise(const RunContext& run) const {
    run.metric("noise_sigma", sigma_of_frame_);
    for (std::size_t frame = 0; frame < sigma_of_frame_.size(); ++frame)
      if (sigma_of_frame_[frame] == 0.0)
        run.warn("no noise was found in time frame " + std::to_string(frame) + ", so it stays nearly as it was",
                 "set sigma when the values are rounded to steps larger than the noise");
  }

  void filter_in_chunks(const RunContext& run, const Launcher& launcher) {
    auto* scratch = reinterpret_cast<float*>(run.scratch<std::byte>() + chunk_at_);
    const int chunks = shape_.nt * layout_.chunks;
    for (int i = 0; i < chunks; ++i) {
      run.check_cancelled();
      non_local_means_chunk(launcher, kernel_, layout_, i / layout_.chunks, i % layout_.chunks, scratch);
      run.progress(static_cast<double>(i + 1) / chunks);
    }
  }

  GridShape shape_;
  NonLocalMeansKernel kernel_{};
  ResidualKernel residual_{};
  NonLocalMeansLayout layout_{};
  std::uint64_t counts_at_ = 0, chunk_at_ = 0;  // bytes into scratch memory; the frames' σ stand first
  bool on_cpu_ = true, tuned_ = true;
  std::vector<double> sigma_of_frame_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(non_local_means, NonLocalMeansOperator)
