#include <algorithm>
#include <cmath>
#include <isocenter/recon/compare_volumes.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/structural_similarity.hpp"

namespace isocenter::detail {

class CompareVolumesOperator : public OperatorBase<CompareVolumes> {
 public:
  void plan(PlanContext& plan) override {
    const Volume input{plan.input("input")}, truth{plan.input("truth")};
    check(input, truth);
    const Geometry g = input.geometry();
    for (std::size_t k = 0; k < 3; ++k) {
      // Where the centre lies in voxels: along the grid's own axes.
      const auto axis = g.axis(static_cast<int>(k));
      double along = 0.0;
      for (std::size_t i = 0; i < 3; ++i) along += axis[i] * (params.centre_mm[i] - g.origin_mm[i]);
      region_.centre[k] = along / g.spacing_mm[k];
      region_.spacing_mm[k] = g.spacing_mm[k];
    }
    region_.radius_mm = params.radius_mm;
    region_.half_height_mm = params.half_height_mm;
    vacuum_ = input.unit() == "HU" ? -1000.0 : 0.0;
    frames_ = input.nt();
    truth_moves_ = truth.nt() > 1;
    plan.scratch(std::max(volume_error_sums(input.nz()), structural_similarity_sums(input.nx(), input.nz())) *
                 sizeof(double));
    const auto count = static_cast<std::uint32_t>(frames_);
    const std::string unit = input.unit();
    plan.metric("rmse", unit.c_str(), count);
    plan.metric("mean_error", unit.c_str(), count);
    plan.metric("largest_error", unit.c_str(), count);
    plan.metric("relative_error", "1", count);
    plan.metric("psnr_db", "dB", count);
    plan.metric("ssim", "1", count);
    for (auto* list : {&rmse_, &mean_, &largest_, &relative_, &psnr_, &ssim_}) list->resize(count);
  }

  void run(const RunContext& run) override {
    const Volume input{run.input("input")}, truth{run.input("truth")};
    const std::int64_t nx = input.nx(), ny = input.ny(), nz = input.nz();
    for (std::int64_t frame = 0; frame < frames_; ++frame) {
      run.check_cancelled();
      const std::int64_t at = frame * nx * ny * nz;
      const float* volume = input.voxels().as<float>() + at;
      const float* of_truth = truth.voxels().as<float>() + (truth_moves_ ? at : 0);
      const VolumeError e =
          volume_error(launcher_of(run), volume, of_truth, nx, ny, nz, region_, vacuum_, run.scratch<double>());
      if (e.voxels == 0)
        throw Failure(ErrorCode::invalid_argument, "no voxel lies in the region",
                      "check centre_mm, radius_mm and half_height_mm against the volume's geometry");
      const auto f = static_cast<std::size_t>(frame);
      rmse_[f] = e.rmse;
      mean_[f] = e.mean_error;
      largest_[f] = e.largest_error;
      relative_[f] = e.relative_error;
      psnr_[f] = e.psnr_db;
      run.check_cancelled();
      ssim_[f] = structural_similarity(launcher_of(run), volume, of_truth, nx, ny, nz, region_, vacuum_, e.range,
                                       run.scratch<double>());
      run.progress(static_cast<double>(frame + 1) / static_cast<double>(frames_));
    }
    run.metric("rmse", rmse_);
    run.metric("mean_error", mean_);
    run.metric("largest_error", largest_);
    run.metric("relative_error", relative_);
    run.metric("psnr_db", psnr_);
    run.metric("ssim", ssim_);
  }

 private:
  void check(const Volume& input, const Volume& truth) const {
    if (params.centre_mm.size() != 3)
      throw Failure(ErrorCode::invalid_argument,
                    "centre_mm has " + std::to_string(params.centre_mm.size()) + " numbers, and three are needed",
                    "give x, y, z");
    if (input.nx() != truth.nx() || input.ny() != truth.ny() || input.nz() != truth.nz() ||
        (truth.nt() != 1 && input.nt() != truth.nt()))
      throw Failure(ErrorCode::invalid_argument, "input has " + shape(input) + " voxels and truth " + shape(truth),
                    "give both the same grid (and the truth one frame, or as many)");
    if (input.voxels().type() != DType::float32 || truth.voxels().type() != DType::float32)
      throw Failure(ErrorCode::invalid_argument, "input and truth are not both float32",
                    "convert them before this node");
    if (input.unit() != truth.unit())
      throw Failure(ErrorCode::invalid_argument,
                    "input is in '" + input.unit() + "' and truth in '" + truth.unit() + "'",
                    "set the unit of one of them");
    const Geometry a = input.geometry(), b = truth.geometry();
    for (int k = 0; k < 3; ++k)
      if (std::fabs(a.spacing_mm[k] - b.spacing_mm[k]) > 1e-6 * a.spacing_mm[k] ||
          std::fabs(a.origin_mm[k] - b.origin_mm[k]) > 1e-3 * a.spacing_mm[k])
        throw Failure(ErrorCode::invalid_argument, "input and truth lie at different places or have different spacing",
                      "give both the same spacing_mm and centre");
    for (int k = 0; k < 9; ++k)
      if (std::fabs(a.direction[k] - b.direction[k]) > 1e-6)
        throw Failure(ErrorCode::invalid_argument, "input and truth have different directions",
                      "resample one of them onto the other's grid");
  }
  static std::string shape(const Volume& v) {
    std::string text = std::to_string(v.nx()) + " x " + std::to_string(v.ny()) + " x " + std::to_string(v.nz());
    return v.nt() > 1 ? text + " x " + std::to_string(v.nt()) : text;
  }

  ErrorRegion region_{};
  double vacuum_ = 0;
  std::int64_t frames_ = 1;
  bool truth_moves_ = false;
  std::vector<double> rmse_, mean_, largest_, relative_, psnr_, ssim_;
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(compare_volumes, CompareVolumesOperator)
