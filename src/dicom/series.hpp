#pragma once
// Images put together: series, and in each the stacks that can become one volume.
#include <cstdint>
#include <string>
#include <vector>

#include "finding.hpp"
#include "image.hpp"

namespace isocenter::detail::dicom {

/// One frame of a stack.
struct Slice {
  int image = 0;         ///< index into Report::images
  int frame = 0;         ///< index into Image::frames
  double offset_mm = 0;  ///< position along the stack's normal
};

/// Where a stack's voxels lie. Voxel (i, j, k) is at origin + i·dx·row + j·dy·column + k·dz·normal.
struct StackGeometry {
  Vec3 origin;  ///< centre of the first voxel, LPS mm
  Vec3 row{1, 0, 0}, column{0, 1, 0}, normal{0, 0, 1};
  double dx_mm = 0, dy_mm = 0, dz_mm = 0;
  int nx = 0, ny = 0;
  int nz =
      0;  ///< planes of a regular grid from the first to the last slice; the number of slices when nothing is missing
  /// A sheared stack's shift along row and column for each mm along the normal; 0 when the slices lie straight.
  double shear_row = 0, shear_column = 0;
};

/// What sets a stack apart from another in the same planes.
struct Split {
  std::size_t discriminator = 0;  ///< index into `discriminators`; discriminator_count: the order by InstanceNumber
  std::string value;              ///< of that attribute, or the repetition from 1
};

/// Frames that can become one volume, in the order of their position along the normal.
struct Stack {
  std::vector<Slice> slices;
  StackGeometry geometry;
  bool has_geometry = false;
  bool localiser = false;
  std::vector<Split> splits;
  std::string
      told_apart_by;  ///< "ConvolutionKernel (0018,1210) = B30f" where that split the series; "" when nothing did
};

struct Series {
  std::string uid;
  std::string study_uid;
  std::string number;
  std::string description;
  std::string modality;
  std::vector<Stack> stacks;  ///< volumes first, then localisers, then images without a position
  std::string header;         ///< of the first slice, as header_text gives it, where it was asked for
};

/// What a folder or a file holds.
struct Report {
  std::string path;
  std::int64_t files = 0;        ///< looked at
  std::int64_t dicom_files = 0;  ///< of these, DICOM objects of any kind
  std::vector<Image> images;     ///< with a good header
  std::vector<Series> series;
  std::vector<Finding> findings;  ///< errors first
};

/// Stacks of this series that could be loaded: with positions, and no localisers.
int volume_count(const Series& series);

/// Groups report.images into report.series, in the order of SeriesNumber, and adds what is to be said about them to
/// report.findings.
void assemble(Report& report);

}  // namespace isocenter::detail::dicom
