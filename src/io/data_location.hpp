#pragma once
// Where the voxels of an image file are and how they are stored: the part of the headers that ITK keeps to itself.
#include <optional>

#include "image_file.hpp"

namespace isocenter::detail::io {

struct StoredVoxels {
  DataLocation data;  ///< `bytes` is left to the caller, who knows the extents
  std::optional<VoxelType> type;
  double slope = 1;
  double intercept = 0;
  std::optional<double> time_origin_s;  ///< where ITK does not give it, or not in seconds
  std::optional<double> time_step_s;
  bool has_orientation = true;
  bool data_are_at_the_end = false;  ///< MetaImage, HeaderSize = -1: the offset follows from the file's size
};

/// NIfTI-1 in one file (nifti1.h of the NIfTI Data Format Working Group), also gzipped.
StoredVoxels locate_nifti(const std::filesystem::path& path);
/// MetaImage: "Key = Value" lines up to ElementDataFile.
StoredVoxels locate_meta(const std::filesystem::path& path);
/// NRRD 1 to 5: "field: value" lines up to an empty one.
StoredVoxels locate_nrrd(const std::filesystem::path& path);

}  // namespace isocenter::detail::io
