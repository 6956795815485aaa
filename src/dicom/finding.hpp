#pragma once
// What a scan has to say about files and series. Codes are stable: scripts and reports may rely on them.
#include <string>

namespace isocenter::detail::dicom {

enum class Severity { note, warning, error };
const char* name(Severity severity);

enum class FindingCode {
  no_dicom,                   ///< nothing in the folder is DICOM
  not_dicom,                  ///< a file that is no DICOM was passed over
  unreadable,                 ///< a file that cannot be opened or parsed
  truncated,                  ///< a file that ends before its pixel data does
  bad_value,                  ///< an attribute that is needed is missing or makes no sense
  no_pixels,                  ///< a DICOM object without an image: a report, a plan, contours
  unsupported_syntax,         ///< a compression that this build cannot read
  unsupported_pixels,         ///< a pixel format that cannot become a volume of single values
  no_geometry,                ///< images without a position in the patient
  duplicate_file,             ///< the same object twice, equal to the last byte: one copy was passed over
  duplicate_slices,           ///< more than one image at a position
  missing_slices,             ///< positions of a regular stack where there is no image
  uneven_spacing,             ///< steps that are not multiples of one step
  gantry_tilt,                ///< slices shifted against each other: a sheared stack
  shifted_slices,             ///< slices that wander sideways without a rule
  mixed_orientations,         ///< one series, several image orientations
  mixed_frames_of_reference,  ///< one series, several frames of reference
  several_stacks,             ///< one series holds more than one volume
  several_series,             ///< more than one series could be loaded
  localiser_set_aside,        ///< a scout image in or beside the series
  missing_rescale,            ///< CT without rescale slope and intercept: values would not be HU
  non_square_pixel,           ///< row and column spacing differ
  incomplete_series,          ///< a file of the series is bad, so that the stack lacks it
};
inline constexpr int finding_code_count = static_cast<int>(FindingCode::incomplete_series) + 1;
/// "missing_slices", as it stands in reports.
const char* name(FindingCode code);

struct Finding {
  FindingCode code = FindingCode::no_dicom;
  Severity severity = Severity::note;
  std::string what;        ///< one sentence without its full stop
  std::string fix;         ///< what to do about it
  std::string file;        ///< relative to what was scanned; "" when it concerns a series
  std::string attribute;   ///< "PixelSpacing (0028,0030)", or ""
  std::string value;       ///< the attribute's value as found, or ""
  std::string series_uid;  ///< "" when it is not about one series
  int stack = 0;           ///< number within the series from 1; 0 when it is not about one stack
};

}  // namespace isocenter::detail::dicom
