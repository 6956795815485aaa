#pragma once
// Classes of images as a Comprehensive 3D SR document: PS3.3 A.35.13, PS3.16 TID 1500, 1501 and 4019.
#include <vector>

#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

struct ClassOfImage {
  int image = 0;  ///< from 0
  int category = 0;
  double probability = 0;
};

struct ClassificationToWrite {
  std::vector<Segment> classes;
  std::vector<ClassOfImage> findings;
  std::vector<std::vector<int>> slices;  ///< of the source, for each image
  std::string algorithm_name, algorithm_version, algorithm_parameters;
};

/// Writes one file, with a measurement group for each finding. Throws Failure: unsupported without a DICOM source;
/// io_error as write_object.
void write_classification(const std::string& path, const ClassificationToWrite& classification,
                          const SourceMetadata& source, const OutputDescription& description);

}  // namespace isocenter::detail::dicom
