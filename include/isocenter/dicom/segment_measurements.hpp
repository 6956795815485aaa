#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Volume, place, mean, standard deviation, minimum and maximum of each segment.
///
/// | port         | payload      | shape        | unit                |
/// |--------------|--------------|--------------|---------------------|
/// | segmentation | Segmentation | nz × ny × nx |                     |
/// | volume       | Volume       | nz × ny × nx | any                 |
/// | output       | Segmentation | nz × ny × nx | as it came in       |
///
/// The output is the segmentation with more attributes: "measurements.unit", and for each label from 1 on
/// "measurements.values" with six numbers: voxels, volume in mm³, mean, standard deviation (of a sample), minimum,
/// maximum; "measurements.centroids_mm" with three: the mean of its voxels' centres in the patient frame (LPS); and
/// "measurements.boxes_mm" with six: the outer corner of its box along the voxel axes where all indices are lowest, and
/// the one where they are highest. The same figures are the node's metrics voxels, volume, mean, standard_deviation,
/// minimum and maximum, one number for each label of "labels.names", centroid and box. A label without a voxel has
/// zeros. Sums are in double, in a fixed order, and do not depend on the number of threads.
///
/// Errors: bad_data when the two lie on different grids, when labels.names is missing, or with the place of a labelled
/// voxel that is not finite; unsupported for 4-D.
struct SegmentMeasurements {
  static constexpr const char* name = "segment_measurements";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Measures each segment: volume, place, mean, standard deviation, extremes.";
  static constexpr const char* help = "dicom_report_sink writes what it measures; the node's metrics report it too.";
  static constexpr bool host_only = true;
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    In<Segmentation> segmentation{"segmentation", "What is measured."};
    In<Volume> volume{"volume", "The values."};
    Out<Segmentation> output{"output", "The segmentation with its measurements."};
    static constexpr auto describe() { return std::tuple{&Ports::segmentation, &Ports::volume, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
