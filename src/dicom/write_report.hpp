#pragma once
// Measurements of segments as a Comprehensive 3D SR document: PS3.3 A.35.13, PS3.16 TID 1500 "Measurement Report".
#include "measure_segments.hpp"
#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

struct ReportToWrite {
  std::vector<Segment> segments;
  std::vector<SegmentMeasurement> measurements;  ///< one for each segment
  std::string unit;                              ///< of the values, as a payload has it
  std::string segmentation_uid;                  ///< SOPInstanceUID of the SEG object whose segments these are
  std::string segmentation_series_uid;
  std::string study_uid;  ///< of the SEG object; the report joins its study
};

/// Writes one file. A segment with voxels becomes a measurement group (TID 1411) that refers to its segment of the SEG
/// object. Throws Failure: bad_data when no segment has a voxel, unsupported when the unit has no code, io_error as
/// write_object.
void write_report(const std::string& path, const ReportToWrite& report, const SourceMetadata& source,
                  const OutputDescription& description);

}  // namespace isocenter::detail::dicom
