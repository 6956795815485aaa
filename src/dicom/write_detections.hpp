#pragma once
// Boxes of a detector as a Comprehensive 3D SR document: PS3.3 A.35.13, PS3.16 TID 1500.
#include <array>
#include <vector>

#include "vec3.hpp"
#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

struct DetectedBox {
  int label = 1;     ///< of the segments' list
  double score = 0;  ///< probability
  Vec3 corner;       ///< patient frame, mm
  std::array<Vec3, 3> edges;
};

/// The boxes of "detections.boxes" (isocenter/volume/detections.hpp). Throws Failure(bad_data) for numbers that are
/// none.
std::vector<DetectedBox> boxes_of(std::span<const double> numbers, int labels);

struct DetectionsToWrite {
  std::vector<Segment> classes;  ///< label i is classes[i - 1]
  std::vector<DetectedBox> boxes;
  bool planar = false;  ///< 2-D: a rectangle in the middle of the slice
};

/// Writes one file. A box becomes a measurement group: TID 1411 with the volume's surface as the polygons of its two
/// faces across the slices, or TID 1410 with the rectangle; each with its finding and the certainty of finding in %.
/// Without a box the document holds no group. Throws Failure: unsupported without a frame of reference of the source;
/// bad_data for a score that is no probability; io_error as write_object.
void write_detections(const std::string& path, const DetectionsToWrite& detections, const SourceMetadata& source,
                      const OutputDescription& description);

}  // namespace isocenter::detail::dicom
