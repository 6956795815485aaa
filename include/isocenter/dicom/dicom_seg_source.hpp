#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomSegOverlap { refuse, first, last };

/// A DICOM segmentation (PS3.3 A.51: binary, fractional or label map) as labels.
///
/// | port      | payload      | shape        |                                                     |
/// |-----------|--------------|--------------|-----------------------------------------------------|
/// | reference | Volume       | nz × ny × nx | optional: the labels get its grid                   |
/// | output    | Segmentation | nz × ny × nx | 0 the background, else the segment's number (1 - 255) |
///
/// Frames are placed by their position, orientation and spacing, never by their number. Without a reference the grid
/// goes from the object's first to its last plane in even steps; planes without a frame are background. With one, the
/// frames have to lie on its voxels (within a hundredth of a voxel); a permuted or mirrored grid is followed.
/// Fractional segments count from `threshold` of MaximumFractionalValue on. labels.names is SegmentLabel,
/// labels.colours RecommendedDisplayCIELabValue. Memory: one stored frame.
///
/// Errors: not_found; bad_data with file, frame and attribute; unsupported for segments above 255 or without a place in
/// the patient.
struct DicomSegSource {
  static constexpr const char* name = "dicom_seg_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Labels from a DICOM segmentation, on its own grid or on a volume's.";
  static constexpr const char* help =
      "Voxels that several segments claim: overlap = refuse names them, first or last "
      "keeps the lower or higher segment number.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    double threshold = 0.5;
    DicomSegOverlap overlap = DicomSegOverlap::refuse;
    static constexpr const char* overlaps[] = {"refuse", "first", "last"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The SEG file.", isocenter::required | isocenter::path),
          param(&Params::threshold, "threshold", Unit::none, 0.001, 1,
                "Fraction from which a voxel belongs to a segment."),
          choice(&Params::overlap, "overlap", overlaps, "Voxels in more than one segment."),
      };
    }
  };
  struct Ports {
    In<Volume> reference{"reference", "A volume whose grid the labels get.", optional_port};
    Out<Segmentation> output{"output", "The labels."};
    static constexpr auto describe() { return std::tuple{&Ports::reference, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
