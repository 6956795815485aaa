#pragma once
// A label map as a binary DICOM Segmentation, or probabilities as a fractional one: PS3.3 A.51; one frame for each
// segment and slice that holds any of it.
#include <array>
#include <isocenter/payload.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frame_encoder.hpp"
#include "output_description.hpp"
#include "source_metadata.hpp"

namespace isocenter::detail::dicom {

/// What a label stands for.
struct Segment {
  int label = 1;  ///< its value in the label map; SegmentNumber counts 1, 2, ... in the order of the list
  std::string name;
  Code category;                                ///< SegmentedPropertyCategoryCodeSequence, CID 7150
  Code type;                                    ///< SegmentedPropertyTypeCodeSequence
  std::optional<Code> anatomy;                  ///< AnatomicRegionSequence
  std::array<double, 3> colour{0.5, 0.5, 0.5};  ///< sRGB in [0, 1]: becomes RecommendedDisplayCIELabValue
};

struct SegmentationToWrite {
  std::span<const std::uint8_t> labels;  ///< binary: nx · ny · nz, x fastest
  /// Fractional instead: probabilities in [0, 1], a volume of nx · ny · nz for each segment; a segment's label is the
  /// volume's number.
  std::span<const float> probabilities;
  int nx = 0, ny = 0, nz = 0;
  Geometry geometry;
  std::vector<Segment> segments;
  std::string algorithm_name;
  LosslessCompression compression = LosslessCompression::none;  ///< fractional ones only: 8 bits
  std::string content_label = "SEGMENTATION";  ///< CS: upper case letters, digits, space and underscore, at most 16
};

/// sRGB (IEC 61966-2-1) to L*a*b* of the D50 white of ICC profiles, encoded as PS3.3 C.10.7.1.1 says.
std::array<int, 3> encoded_cielab(const std::array<double, 3>& srgb);

/// What else has to refer to a written object.
struct WrittenObject {
  std::string study_uid, series_uid, sop_instance_uid;
};

/// Writes one file; gives its UIDs. Voxels with a label that no segment names are background; a probability p
/// is stored as round(255 p). Throws Failure: bad_data when no voxel belongs to a segment or a probability is outside
/// [0, 1], io_error as write_object.
WrittenObject write_segmentation(const std::string& path, const SegmentationToWrite& segmentation,
                                 const SourceMetadata& source, const OutputDescription& description);

}  // namespace isocenter::detail::dicom
