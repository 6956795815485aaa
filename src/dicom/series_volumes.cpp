#include "series_volumes.hpp"

#include "source_metadata.hpp"
#include "voxel_grid.hpp"

namespace isocenter::detail::dicom {

LoadPlan SeriesVolumes::plan_series(const std::string& folder, const Workers& workers) {
  report_ = std::make_unique<Report>(inspect(folder, workers));
  return plan_load(*report_, {});
}

void SeriesVolumes::describe(const std::string& folder, const Workers& workers, PayloadRef output) {
  const LoadPlan plan = plan_series(folder, workers);
  nx_ = plan.grid.nx;
  ny_ = plan.grid.ny;
  nz_ = plan.grid.nz;
  output.like(Volume::describe(nx_, ny_, nz_, geometry_of(plan.grid), plan.unit.c_str()));
  write_metadata(source_metadata(plan), output);
}

void SeriesVolumes::load(const std::string& folder, const RunContext& run) {
  const Workers workers(run.launcher());
  const LoadPlan plan = plan_series(folder, workers);
  if (plan.grid.nx != nx_ || plan.grid.ny != ny_ || plan.grid.nz != nz_)
    throw Failure(ErrorCode::bad_data,
                  "'" + folder + "': a series of " + std::to_string(plan.grid.nx) + " x " +
                      std::to_string(plan.grid.ny) + " x " + std::to_string(plan.grid.nz) +
                      " voxels, while the pipeline was prepared for " + std::to_string(nx_) + " x " +
                      std::to_string(ny_) + " x " + std::to_string(nz_),
                  "run a pipeline of its own over it: it stays in the inbox");
  PayloadRef output = run.output("output");
  output.set_geometry(geometry_of(plan.grid));
  write_metadata(source_metadata(plan), output);
  dicom::load(plan, workers, output.tensor("voxels").span<float>(), [&](std::int64_t done, std::int64_t total) {
    run.progress(static_cast<double>(done) / static_cast<double>(total));
    return !run.cancelled();
  });
}

}  // namespace isocenter::detail::dicom
