#pragma once
// How to show the source images: Grayscale Softcopy Presentation State, PS3.3 A.33.1.
#include <isocenter/payload.hpp>
#include <string>
#include <vector>

#include "output_description.hpp"
#include "source_metadata.hpp"
#include "vec3.hpp"

namespace isocenter::detail::dicom {

/// A text at a point of a source image.
struct Annotation {
  Vec3 position;  ///< in the patient, mm
  std::string text;
};

struct PresentationToWrite {
  int columns = 0, rows = 0;  ///< of the source images
  Geometry geometry;          ///< of the volume that the source images make
  double window_centre = 0, window_width = 1;
  std::string label;  ///< ContentLabel: CS
  std::vector<Annotation> annotations;
};

/// Throws Failure(bad_data) without source images, when the volume's `slices` are not the source's, or for an
/// annotation outside all of them.
void require_shows(const PresentationToWrite& presentation, int slices, const SourceMetadata& source);

/// Writes one file, of what require_shows let pass.
void write_presentation_state(const std::string& path, const PresentationToWrite& presentation,
                              const SourceMetadata& source, const OutputDescription& description);

}  // namespace isocenter::detail::dicom
