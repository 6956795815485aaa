#include "finding.hpp"

namespace isocenter::detail::dicom {

const char* name(Severity severity) {
  constexpr const char* names[] = {"note", "warning", "error"};
  return names[static_cast<int>(severity)];
}

const char* name(FindingCode code) {
  constexpr const char* names[finding_code_count] = {"no_dicom",
                                                     "not_dicom",
                                                     "unreadable",
                                                     "truncated",
                                                     "bad_value",
                                                     "no_pixels",
                                                     "unsupported_syntax",
                                                     "unsupported_pixels",
                                                     "no_geometry",
                                                     "duplicate_file",
                                                     "duplicate_slices",
                                                     "missing_slices",
                                                     "uneven_spacing",
                                                     "gantry_tilt",
                                                     "shifted_slices",
                                                     "mixed_orientations",
                                                     "mixed_frames_of_reference",
                                                     "several_stacks",
                                                     "several_series",
                                                     "localiser_set_aside",
                                                     "missing_rescale",
                                                     "non_square_pixel",
                                                     "incomplete_series"};
  return names[static_cast<int>(code)];
}

}  // namespace isocenter::detail::dicom
