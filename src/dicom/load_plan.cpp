#include <algorithm>
#include <cmath>
#include <isocenter/error.hpp>

#include "load.hpp"
#include "pet_suv.hpp"
#include "stack_builder.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Whether the caller allowed the remedy for a finding.
bool remedied(FindingCode code, const LoadOptions& options) {
  switch (code) {
    case FindingCode::duplicate_slices:
      return options.keep_first_duplicate;
    case FindingCode::missing_slices:
    case FindingCode::uneven_spacing:
      return options.resample_uneven;
    case FindingCode::gantry_tilt:
      return options.shear_tilt;
    case FindingCode::incomplete_series:
      return options.skip_bad_files;
    case FindingCode::missing_rescale:
      return options.identity_rescale;
    case FindingCode::several_stacks:
      return options.stack > 0 || options.fourth_axis != FourthAxis::none;
    default:
      return false;
  }
}

std::string where(const Series& series, int stack, bool several) {
  return "series " + (series.number.empty() ? series.uid : series.number) +
         (several && stack > 0 ? ", stack " + std::to_string(stack) : "");
}

const Series& choose_series(const Report& report, const std::string& wanted) {
  std::vector<const Series*> fitting;
  for (const Series& s : report.series)
    if (wanted.empty() ? volume_count(s) > 0 : s.uid == wanted || s.number == wanted) fitting.push_back(&s);
  if (fitting.size() == 1) return *fitting.front();
  if (!wanted.empty() && fitting.empty()) {
    std::string known;
    for (const Series& s : report.series) known += (known.empty() ? "" : ", ") + (s.number.empty() ? s.uid : s.number);
    throw Failure(ErrorCode::invalid_argument,
                  "series = " + wanted +
                      " is neither a SeriesNumber (0020,0011) nor a SeriesInstanceUID (0020,000e) in '" + report.path +
                      "'",
                  known.empty() ? "name a folder with images" : "choose one of " + known);
  }
  if (!wanted.empty())
    throw Failure(ErrorCode::invalid_argument,
                  "series = " + wanted + " fits " + std::to_string(fitting.size()) + " series in '" + report.path + "'",
                  "name the series by its SeriesInstanceUID (0020,000e)");
  for (const Finding& f : report.findings)
    if (fitting.empty() ? f.severity == Severity::error || f.code == FindingCode::no_geometry ||
                              f.code == FindingCode::unsupported_pixels || f.code == FindingCode::localiser_set_aside
                        : f.code == FindingCode::several_series)
      throw Failure(fitting.empty() ? ErrorCode::bad_data : ErrorCode::invalid_argument,
                    fitting.empty() && f.code != FindingCode::no_dicom
                        ? "'" + report.path + "' holds no series that can be loaded: " +
                              (f.file.empty() ? "" : "'" + f.file + "': ") + f.what
                        : "'" + report.path + "': " + f.what,
                    f.fix);
  throw Failure(ErrorCode::bad_data, "'" + report.path + "' holds no image", "name a folder with images");
}

int choose_stack(const Series& series, int wanted) {
  if (wanted > static_cast<int>(series.stacks.size()))
    throw Failure(ErrorCode::invalid_argument,
                  "stack = " + std::to_string(wanted) + " is outside [1, " + std::to_string(series.stacks.size()) +
                      "] of " + where(series, 0, false),
                  "choose a stack in that range");
  if (wanted > 0) return wanted;
  return 1;  // volumes stand first; several of them are refused by their finding
}

void refuse_faults(const Report& report, const Series& series, int stack, const LoadOptions& options, LoadPlan& plan) {
  for (const Finding& f : report.findings) {
    const bool concerns = f.series_uid == series.uid && f.file.empty() && (f.stack == 0 || f.stack == stack);
    if (!concerns || f.severity != Severity::error) continue;
    if (!remedied(f.code, options))
      throw Failure(f.code == FindingCode::several_stacks ? ErrorCode::invalid_argument : ErrorCode::bad_data,
                    where(series, stack, series.stacks.size() > 1) + ": " + f.what, f.fix);
    if (f.code != FindingCode::several_stacks) plan.remedies.push_back(f.what);
  }
}

/// A sheared stack needs a wider grid, so that no slice loses an edge.
void widen(StackGeometry& g, double extent_mm) {
  const auto widen_axis = [extent_mm](double shear, double spacing, int& n) {
    const double drift = shear * extent_mm;
    n += static_cast<int>(std::ceil(std::fabs(drift) / spacing - 1e-6));
    return std::fmin(drift, 0.0);
  };
  const double begin_row = widen_axis(g.shear_row, g.dx_mm, g.nx);
  const double begin_column = widen_axis(g.shear_column, g.dy_mm, g.ny);
  g.origin = g.origin + g.row * begin_row + g.column * begin_column;
}

std::string unit_of(const Report& report, const Slice& slice, bool identity) {
  const Image& image = report.images[static_cast<std::size_t>(slice.image)];
  const auto& rescale = image.frames[static_cast<std::size_t>(slice.frame)].rescale;
  if (image.modality_lut != nullptr)
    return image.modality_lut_type.empty() || image.modality_lut_type == "US" ? "a.u." : image.modality_lut_type;
  if (image.modality == "PT" && !image.units.empty()) return image.units;
  if (image.modality != "CT")
    return rescale && !rescale->type.empty() && rescale->type != "US" ? rescale->type : "a.u.";
  if (!rescale || identity) return rescale ? "HU" : "a.u.";
  // PS3.3 C.11.1.1.2: rescaled CT values are HU unless RescaleType says otherwise.
  return rescale->type.empty() || rescale->type == "HU" ? "HU" : rescale->type == "US" ? "a.u." : rescale->type;
}

/// The other stacks along the fourth axis behind the first one's planes.
void add_times(const Report& report, const Series& series, int number, const LoadOptions& options, LoadPlan& plan) {
  const std::vector<int> members = stacks_along(series, number, options.fourth_axis);
  if (members.size() < 2)
    throw Failure(ErrorCode::invalid_argument,
                  where(series, number, true) + " has no other stack of its grid along the fourth axis",
                  "choose another fourth_axis, or none");
  if (plan.resampled)
    throw Failure(ErrorCode::unsupported,
                  where(series, number, true) + " would have to be resampled, which is done for single volumes alone",
                  "load one stack after the other with the parameter stack");
  const std::size_t each = plan.planes.size();
  plan.planes.clear();
  std::vector<const Stack*> stacks;
  for (const int member : members) {
    refuse_faults(report, series, member, options, plan);
    const Stack& stack = series.stacks[static_cast<std::size_t>(member) - 1];
    stacks.push_back(&stack);
    const std::size_t begin = plan.planes.size();
    for (const Slice& s : stack.slices)
      if (plan.planes.size() == begin || s.offset_mm - plan.planes.back().offset_mm >= same_plane_mm)
        plan.planes.push_back(s);
    if (plan.planes.size() - begin != each)
      throw Failure(ErrorCode::bad_data, where(series, member, true) + " has another number of planes than the first",
                    "load one stack after the other with the parameter stack");
  }
  plan.times = static_cast<int>(members.size());
  name_fourth_axis(stacks, plan);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> scale_values(LoadPlan& plan, ValueScale scale,
                                                              const Workers& workers) {
  if (scale == ValueScale::none) return {};
  const auto image_of = [&](const Slice& s) -> const Image& {
    return plan.report->images[static_cast<std::size_t>(s.image)];
  };
  if (scale == ValueScale::philips_floating_point) {
    plan.factors.resize(plan.planes.size());
    workers.for_each(static_cast<std::int64_t>(plan.planes.size()), [&](std::int64_t i) {
      const Slice& s = plan.planes[static_cast<std::size_t>(i)];
      const Rescale rescale = image_of(s).frames[static_cast<std::size_t>(s.frame)].rescale.value_or(Rescale{});
      plan.factors[static_cast<std::size_t>(i)] = philips_scale(image_of(s).path, rescale.slope);
    });
    plan.unit = "a.u.";
    return {{"MRScaleSlope (2005,100e)", "applied to each image"}};
  }
  if (plan.series->modality != "PT")
    throw Failure(ErrorCode::invalid_argument, "Modality (0008,0060) = " + plan.series->modality + " is not PT",
                  "set suv = none");
  std::vector<std::string> paths;
  for (const Slice& s : plan.planes)
    if (paths.empty() || paths.back() != image_of(s).path) paths.push_back(image_of(s).path);
  SuvFactor suv = suv_body_weight(paths, workers);
  plan.factors.assign(plan.planes.size(), suv.factor);
  plan.unit = "g/ml";
  return suv.used;
}

LoadPlan plan_load(const Report& report, const LoadOptions& options) {
  LoadPlan plan;
  const Series& series = choose_series(report, options.series);
  const int number = choose_stack(series, options.stack);
  const Stack& stack = series.stacks[static_cast<std::size_t>(number) - 1];
  if (!stack.has_geometry)
    throw Failure(ErrorCode::bad_data,
                  where(series, number, true) +
                      " has no place in the patient: ImagePositionPatient (0020,0032), "
                      "ImageOrientationPatient (0020,0037) or PixelSpacing (0028,0030) is missing",
                  "choose a stack with positions");
  refuse_faults(report, series, number, options, plan);
  plan.report = &report;
  plan.series = &series;
  plan.stack = &stack;
  plan.grid = stack.geometry;
  for (const Slice& s : stack.slices)
    if (plan.planes.empty() || s.offset_mm - plan.planes.back().offset_mm >= same_plane_mm) plan.planes.push_back(s);
  plan.unit = unit_of(report, plan.planes.front(), options.identity_rescale);
  plan.outside = plan.unit == "HU" ? -1000 : 0;
  const bool sheared = plan.grid.shear_row != 0 || plan.grid.shear_column != 0;
  bool uneven = false;
  for (const Finding& f : report.findings)
    uneven = uneven || (f.series_uid == series.uid && f.stack == number &&
                        (f.code == FindingCode::missing_slices || f.code == FindingCode::uneven_spacing));
  plan.resampled = sheared || uneven;
  if (options.fourth_axis != FourthAxis::none) add_times(report, series, number, options, plan);
  if (sheared) widen(plan.grid, plan.planes.back().offset_mm - plan.planes.front().offset_mm);
  return plan;
}

}  // namespace isocenter::detail::dicom
