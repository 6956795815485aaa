#include "dicom_series_source.hpp"

#include <cmath>

#include "dataset_values.hpp"
#include "inspect.hpp"
#include "single_object.hpp"
#include "source_metadata.hpp"
#include "voxel_grid.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Faults of the folder that do not stop this load, for the user to know.
void pass_warnings(const Report& report, const LoadPlan& load, PlanContext& plan) {
  for (const Finding& f : report.findings) {
    const bool of_this = f.series_uid.empty() || f.series_uid == load.series->uid;
    if (!of_this || f.severity == Severity::note || f.code == FindingCode::several_series ||
        f.code == FindingCode::several_stacks)
      continue;
    plan.warn((f.file.empty() ? "" : "'" + f.file + "': ") + f.what, f.fix);
  }
}

/// Seconds between two values of the fourth axis: as asked; from trigger times; the repetition time where time points
/// are told apart by number alone; else 1, and a warning says that it stands for one value.
double time_step(const LoadPlan& load, double asked, PlanContext& plan) {
  if (asked > 0) return asked;
  const std::vector<double>& values = load.axis_values;
  const double mean = (values.back() - values.front()) / (load.times - 1);
  bool even = mean > 0;
  for (std::size_t i = 1; i < values.size(); ++i)
    even = even && std::fabs(values[i] - values[i - 1] - mean) <= 0.02 * mean;
  if (load.axis_name.rfind(attribute::trigger_time.keyword, 0) == 0 && even) return mean / 1000;
  const bool counted = load.axis_name.rfind("Temporal", 0) == 0 || load.axis_name.rfind("repetition", 0) == 0 ||
                       load.axis_name.rfind(attribute::acquisition_number.keyword, 0) == 0;
  constexpr Attribute repetition_time{0x0018, 0x0080, "RepetitionTime"};
  DcmFileFormat header;
  open_header(load.report->images[static_cast<std::size_t>(load.planes.front().image)].path, header);
  if (const auto ms = number(*header.getDataset(), repetition_time); counted && ms && *ms > 0) {
    plan.fact("time_step", text(repetition_time) + " = " + text_value(*header.getDataset(), repetition_time) + " ms");
    return *ms / 1000;
  }
  plan.warn("the steps along " + load.axis_name + " are no even times; the time step of 1 s stands for one value",
            "take the values from the attribute volume.fourth_axis_values, or set time_step_s");
  return 1;
}

}  // namespace

void DicomSeriesSourceOperator::plan(PlanContext& plan) {
  const Workers workers(plan.launcher());
  report_ = inspect(params.path, workers);
  LoadOptions options;
  options.series = params.series;
  options.stack = static_cast<int>(params.stack);
  options.keep_first_duplicate = params.duplicates == DicomFault::remedy;
  options.resample_uneven = params.uneven_spacing == DicomFault::remedy;
  options.shear_tilt = params.gantry_tilt == DicomFault::remedy;
  options.skip_bad_files = params.bad_files == DicomFault::remedy;
  options.identity_rescale = params.missing_rescale == DicomFault::remedy;
  options.fourth_axis = static_cast<FourthAxis>(params.fourth_axis);
  load_ = plan_load(report_, options);
  const bool suv = params.suv == DicomSuv::body_weight;
  if (suv && params.vendor_scale != DicomVendorScale::none)
    throw Failure(ErrorCode::invalid_argument, "suv and vendor_scale are both set", "set one of them");
  const ValueScale scale = suv                                             ? ValueScale::suv_body_weight
                           : params.vendor_scale == DicomVendorScale::none ? ValueScale::none
                                                                           : ValueScale::philips_floating_point;
  for (const auto& [what, value] : scale_values(load_, scale, workers))
    plan.fact(((suv ? "suv: " : "scale: ") + what).c_str(), value);
  pass_warnings(report_, load_, plan);

  const StackGeometry& g = load_.grid;
  Geometry geometry = geometry_of(g);
  if (load_.times > 1) geometry.time_step_s = time_step(load_, params.time_step_s, plan);
  const char* unit = load_.unit.c_str();
  Volume described = load_.times > 1 ? Volume::describe(g.nx, g.ny, g.nz, load_.times, geometry, unit)
                                     : Volume::describe(g.nx, g.ny, g.nz, geometry, unit);
  if (load_.times > 1) {
    described.set_text("volume.fourth_axis", load_.axis_name);
    described.set_numbers("volume.fourth_axis_values", load_.axis_values);
    plan.fact("fourth_axis", load_.axis_name + ", " + std::to_string(load_.times) + " values");
  }
  PayloadRef output = plan.output("output");
  output.like(described);
  write_metadata(source_metadata(load_), output);
  plan.items(1);
  plan.declare_host_memory(load_working_bytes(load_, workers));
  plan.fact("SeriesInstanceUID", load_.series->uid);
  plan.fact("SeriesNumber", load_.series->number);
  plan.fact("Modality", load_.series->modality);
  plan.fact("images", std::to_string(load_.planes.size()));
  if (!load_.stack->told_apart_by.empty()) plan.fact("stack", load_.stack->told_apart_by);
  std::string remedied;
  for (const std::string& remedy : load_.remedies) remedied += (remedied.empty() ? "" : "; ") + remedy;
  if (!remedied.empty()) plan.fact("remedied", remedied);
}

void DicomSeriesSourceOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const TensorView voxels = run.output("output").tensor("voxels");
  load(load_, Workers(run.launcher()), voxels.span<float>(), [&](std::int64_t done, std::int64_t total) {
    run.progress(static_cast<double>(done) / static_cast<double>(total));
    return !run.cancelled();
  });
}

}  // namespace isocenter::detail::dicom
