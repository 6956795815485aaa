#pragma once
// PET to standardised uptake values by body weight, as QIBA's vendor-neutral pseudo-code has it (RSNA QIBA FDG-PET/CT
// profile, "Standardized Uptake Value", happy path and private Philips scale).
#include <string>
#include <utility>
#include <vector>

#include "workers.hpp"

namespace isocenter::detail::dicom {

struct SuvFactor {
  double factor = 1;  ///< SUVbw in g/ml = factor · rescaled value
  /// Attributes that were used, "PatientWeight (0010,1030)" and its value, and the times in between.
  std::vector<std::pair<std::string, std::string>> used;
};

/// The factor of a PET series whose slices are these files. Decay is from the administration to the scan's start:
/// the earlier of SeriesTime and the first AcquisitionTime of the series.
/// Throws Failure(bad_data) with the attribute that is missing or excludes the conversion.
SuvFactor suv_body_weight(const std::vector<std::string>& paths, const Workers& workers);

/// Philips MR values in the scanner's own floating point scale: (slope · stored + intercept) / (slope · scale slope),
/// with MRScaleSlope (2005,100e) of "Philips MR Imaging DD 001" (Chenevert et al., Translational Oncology 7(1), 2014,
/// doi:10.1593/tlo.13811, equation 1). Gives 1 / (slope · scale slope) of one file.
/// Throws Failure(bad_data) when the file has no such attribute.
double philips_scale(const std::string& path, double rescale_slope);

}  // namespace isocenter::detail::dicom
