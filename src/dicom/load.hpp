#pragma once
// From a report to one volume: choosing a stack, refusing what is no regular volume, decoding in parallel into place.
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "series.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

/// Stacks of a series that differ in this alone become one volume with a time axis.
enum class FourthAxis { none, any, time, echo, b_value, cardiac_phase, inversion_time };

/// What the values are made into after rescale.
enum class ValueScale { none, suv_body_weight, philips_floating_point };

/// What the caller wants, and which remedies it allows. Without one, the fault is refused.
struct LoadOptions {
  std::string series;  ///< SeriesNumber or SeriesInstanceUID; "": the only one that can be loaded
  int stack = 0;       ///< from 1, as the report numbers them; 0: the only one
  bool skip_bad_files = false;
  bool keep_first_duplicate = false;
  bool resample_uneven = false;  ///< missing slices and uneven steps: linear interpolation along the normal
  bool shear_tilt = false;       ///< gantry tilt: bilinear shift within the slices
  bool identity_rescale = false;
  FourthAxis fourth_axis = FourthAxis::none;
};

/// One volume to be loaded. Refers to the report, which must outlive it.
struct LoadPlan {
  const Report* report = nullptr;
  const Series* series = nullptr;
  const Stack* stack = nullptr;
  std::vector<Slice> planes;  ///< one slice for each position, by position; one time point after the other
  int times = 1;
  std::string axis_name;            ///< "EchoTime (0018,0081)" where times > 1
  std::vector<double> axis_values;  ///< of each time point
  std::vector<double> factors;      ///< of each plane, applied after rescale; empty: 1
  StackGeometry grid;               ///< of the volume; nx, ny, nz are its extents, shear is that of the slices
  bool resampled = false;
  double outside = 0;                 ///< the value of voxels that no slice covers
  std::string unit;                   ///< "HU", RescaleType, Units, or "a.u."
  std::vector<std::string> remedies;  ///< sentences about what was done to make it a volume
};

/// Numbers (from 1) of the stacks that differ from stack `number` along the axis alone, that one included, by value.
std::vector<int> stacks_along(const Series& series, int number, FourthAxis axis);
/// Fills axis_name and axis_values from stacks in their order.
void name_fourth_axis(const std::vector<const Stack*>& stacks, LoadPlan& plan);

/// Sets factors and unit. Throws Failure(bad_data) with what is missing; gives what was used, for the facts.
std::vector<std::pair<std::string, std::string>> scale_values(LoadPlan& plan, ValueScale scale, const Workers& workers);

/// Throws Failure (invalid_argument when the choice is open or wrong, bad_data when the stack is not usable).
LoadPlan plan_load(const Report& report, const LoadOptions& options);

/// Called with the number of slices done and in all, from any worker; returns false to stop.
using LoadProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

/// Decodes every slice into its place: voxels has times · grid.nz · grid.ny · grid.nx values, x fastest.
/// Throws Failure with the file's name; Error(cancelled) when `progress` returned false.
void load(const LoadPlan& plan, const Workers& workers, std::span<float> voxels, const LoadProgress& progress = {});

/// Memory that load takes besides the voxels, in bytes.
std::uint64_t load_working_bytes(const LoadPlan& plan, const Workers& workers);

}  // namespace isocenter::detail::dicom
