#pragma once
// What writers keep of the images that a payload came from. It travels in payload attributes, so that it survives every
// operator in between and needs no file of the source any more.
#include <isocenter/payload.hpp>
#include <string>
#include <vector>

#include "load.hpp"
#include "vec3.hpp"

namespace isocenter::detail::dicom {

/// One image or frame of the source.
struct SourceSlice {
  std::string sop_instance_uid;
  int frame_number = 0;  ///< from 1 in a multi-frame object; 0 in a classic image
  Vec3 position;         ///< ImagePositionPatient
};

struct SourceMetadata {
  /// Attributes of the patient, study, frame of reference, equipment and acquisition as an explicit little endian data
  /// set, in the source's own character set; "" when there was no DICOM source.
  std::string context;
  std::string header;  ///< of the first slice, as header_text gives it; "" when there was no DICOM source
  std::string study_uid;
  std::string series_uid;
  std::string sop_class_uid;
  std::string frame_of_reference_uid;
  std::string modality;
  Vec3 normal;            ///< of the source's slices
  double spacing_mm = 0;  ///< between them
  std::vector<SourceSlice> slices;

  bool empty() const { return series_uid.empty(); }
};

/// Of a planned load: reads the context from the first slice's file.
SourceMetadata source_metadata(const LoadPlan& plan);

/// Of one object that is no stack of slices; the header is that of frame `frame`, from 0.
SourceMetadata metadata_of(const Image& image, const std::string& path, int frame);

/// Attributes "dicom.*" of a payload (docs/dicom/README.md has their list).
void write_metadata(const SourceMetadata& metadata, Payload& to);
/// Throws Failure(bad_data) when the attributes contradict each other.
SourceMetadata read_metadata(const Payload& from);

/// The context attributes of one file. Throws Failure when it cannot be read.
std::string read_context(const std::string& path);

}  // namespace isocenter::detail::dicom
