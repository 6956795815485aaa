#pragma once
#include <isocenter/dicom/dicom_seg_source.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The contours of an RT Structure Set (PS3.3 A.19) as labels on a volume's grid.
///
/// | port      | payload      | shape        |                                                  |
/// |-----------|--------------|--------------|--------------------------------------------------|
/// | reference | Volume       | nz × ny × nx | whose grid the labels get                        |
/// | output    | Segmentation | nz × ny × nx | 0 the background, n the n-th structure of the set |
///
/// A voxel belongs to a structure when its centre lies inside an odd number of the structure's closed contours in its
/// plane (contours within contours are holes). A contour fills the plane nearest to it alone; contours beyond the grid
/// are left out. `structure` takes one by its name, with label 1. Names and colours come along as labels.names and
/// labels.colours.
///
/// Errors: not_found; bad_data when contours are not parallel to the reference's planes, structures overlap and may
/// not, or the set names another frame of reference; unsupported for more than 255 structures.
struct DicomRtssSource {
  static constexpr const char* name = "dicom_rtss_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Labels from the contours of an RT Structure Set on a volume's grid.";
  static constexpr const char* help =
      "Voxels that several structures claim: overlap = first or last keeps the earlier or "
      "later one of the set.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string structure;
    DicomSegOverlap overlap = DicomSegOverlap::refuse;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The RTSTRUCT file.", isocenter::required | isocenter::path),
          param(&Params::structure, "structure", "ROIName of the one to take; empty: all."),
          choice(&Params::overlap, "overlap", DicomSegSource::Params::overlaps, "Voxels in more than one structure."),
      };
    }
  };
  struct Ports {
    In<Volume> reference{"reference", "The volume whose grid the labels get."};
    Out<Segmentation> output{"output", "The labels."};
    static constexpr auto describe() { return std::tuple{&Ports::reference, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
